#include "library/job_store.h"

#include "base/files.h"
#include "base/temporary_folder.h"

namespace negativa {

namespace {

class JobStoreTest : public ::testing::Test {
 protected:
  JobStoreTest() { open(); }
  void open(uint64_t last = 0) {
    store_ = std::make_unique<JobStore>(folder_.path(), last, [this](const std::string& line) { notices_.push_back(line); });
  }
  uint64_t add(const std::string& verb = "generate") {
    JobRecord record;
    record.verb = verb;
    record.options_json = "{\"prompt\":\"a lion\"}";
    return store_->add(record);
  }
  void start(uint64_t id) {
    store_->change(id, [](JobRecord& record) {
      record.state = JobState::running;
      ++record.starts;
    });
  }
  void finish(uint64_t id, JobState state) {
    store_->change(id, [&](JobRecord& record) { record.state = state; });
  }

  TemporaryFolder folder_;
  std::vector<std::string> notices_;
  std::unique_ptr<JobStore> store_;
};

}  // namespace

TEST_F(JobStoreTest, ComesBackWithTheQueueInItsOrder) {
  const uint64_t first = add(), second = add("train lora"), third = add();
  start(first);
  finish(second, JobState::cancelled);
  open();
  const auto waiting = store_->open();
  ASSERT_EQ(waiting.size(), 2);
  EXPECT_EQ(waiting[0].id, first);
  EXPECT_EQ(waiting[0].state, JobState::queued);
  EXPECT_EQ(waiting[0].starts, 1);
  EXPECT_EQ(waiting[0].options_json, "{\"prompt\":\"a lion\"}");
  EXPECT_EQ(waiting[1].id, third);
  EXPECT_EQ(store_->find(second)->state, JobState::cancelled);
  EXPECT_GT(store_->find(second)->ended_ms, 0);
  EXPECT_EQ(add(), third + 1);
}

TEST_F(JobStoreTest, HoldsAJobAtWhichTheProgramEndedTwice) {
  const uint64_t id = add();
  start(id);
  open();
  EXPECT_TRUE(notices_.empty());
  start(id);
  open();
  EXPECT_EQ(store_->find(id)->state, JobState::held);
  ASSERT_EQ(notices_.size(), 1);
  EXPECT_TRUE(contains(notices_[0], "job 1 (generate) is held: the program ended 2 times"));
  open();
  EXPECT_EQ(store_->find(id)->state, JobState::held);
}

TEST_F(JobStoreTest, ListsTheNewestFirst) {
  for (int i = 0; i < 5; ++i) add();
  finish(2, JobState::done);
  finish(4, JobState::failed);
  const auto ids = [](const std::vector<JobRecord>& records) {
    std::vector<uint64_t> found;
    for (const auto& record : records) found.push_back(record.id);
    return found;
  };
  EXPECT_EQ(ids(store_->newest(3)), (std::vector<uint64_t>{5, 4, 3}));
  EXPECT_EQ(ids(store_->newest(9, 3)), (std::vector<uint64_t>{2, 1}));
}

TEST_F(JobStoreTest, LeavesAloneWhatItCannotRead) {
  add();
  write_atomically(folder_ / "000007.json", "{\"id\": 7");
  write_atomically(folder_ / "notes.json", "{}");
  open();
  EXPECT_EQ(store_->open().size(), 1);
  EXPECT_TRUE(contains(notices_.at(0), "job 7 cannot be read"));
  EXPECT_EQ(add(), 8);  // its number is not given again
  EXPECT_EQ(read_file(folder_ / "000007.json"), "{\"id\": 7");
  open(12);
  EXPECT_EQ(add(), 13);
}

TEST_F(JobStoreTest, ChangesNothingThatIsOver) {
  const uint64_t id = add();
  finish(id, JobState::done);
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { finish(id, JobState::cancelled); }), "waits or runs"));
  EXPECT_FALSE(store_->find(99));
}

}  // namespace negativa
