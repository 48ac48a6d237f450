// A run folder that several processes work in, and that some of them are killed in.
#include <csignal>
#include <ctime>
#include <functional>
#include <thread>

#include "base/names.h"
#include "runs/cell_files.h"
#include "runs/cell_locks.h"
#include "runs/run_store.h"
#include "small_run.h"
#include "stepped_process.h"

namespace negativa {
namespace {

class Notices : public EventSink {
 public:
  void on_notice(const std::string& text) override { texts.push_back(text); }
  std::vector<std::string> texts;
};

TEST(RunSharing, OfProcessesThatBeginAtOnceOneFreezesThePlanOfAll) {
  EventSink events;
  for (int round = 0; round < 3; ++round) {
    const TemporaryFolder folder;
    const Signal go;
    std::vector<pid_t> children;
    for (uint64_t i = 0; i < 4; ++i)
      children.push_back(in_another_process([&] {
        go.await();
        RunStore store(folder / "run", events);
        RunPlan plan = small_plan();
        plan.base_seeds = {i};
        plan.toml += std::string(i, '#');
        if (!store.frozen()) store.freeze(plan);
        write_atomically(folder / ("plan of " + std::to_string(i)), store.frozen()->to_text());
        return 0;
      }));
    go.give(children.size());
    for (const pid_t child : children) EXPECT_EQ(exit_code_of(child), 0);
    const RunStore store = RunStore::open(folder / "run", events);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(read_file(folder / ("plan of " + std::to_string(i))), store.frozen()->to_text());
    EXPECT_EQ(read_file(folder / "run/experiment.toml"), store.frozen()->toml);
    EXPECT_EQ(temporary_files(folder.path()), 0u);
  }
}

// Does `between` while another process stands at its n-th stop within `work`, for each n, or each `stride`-th.
void at_each_stop(const std::function<void()>& work, const std::function<void(SteppedProcess&)>& between, size_t stride = 1) {
  for (size_t n = 0;; n += stride) {
    SteppedProcess other(work);
    if (!other.is_traced()) GTEST_SKIP() << "a process may not be traced here";
    size_t steps = 0;
    while (steps < n && other.step()) ++steps;
    if (steps < n) {
      EXPECT_GT(n, 20u) << "it made hardly a system call";
      return;
    }
    between(other);
    if (testing::Test::HasFailure()) FAIL() << "at stop " << n;
  }
}

TEST(RunSharing, AnotherProcessMayWriteACellAtAnyMomentAndFileAndRecordFit) {
  SmallRun run(false);
  const auto write = [&](const std::string& processor) {
    CellRecord record;
    record.processor = processor;
    run.store.write(run.cell(lora), "made by " + processor + "'s own rounding", record);
  };
  at_each_stop([&] { write("the first"); },
               [&](SteppedProcess& first) {
                 write("another");
                 EXPECT_EQ(run.state(lora), CellState::whole);
                 first.go_on();
                 ASSERT_EQ(run.state(lora), CellState::whole);
                 EXPECT_TRUE(contains(read_file(run.file(lora)), run.store.record(run.cell(lora))->processor));
                 EXPECT_EQ(temporary_files(run.folder.path()), 0u);
                 fs::remove(run.file(lora));
                 fs::remove(run.record_file(lora));
               });
}

TEST(RunSharing, AProcessMayBeKilledAtAnyMomentOfACell) {
  SmallRun run(false);
  at_each_stop([&] { make(run.store, lora); },
               [&](SteppedProcess& other) {
                 other.kill();
                 RunStore again(run.folder.path(), run.events);
                 EXPECT_EQ(temporary_files(run.folder.path()), 0u);
                 EXPECT_NE(again.state(run.cell(lora)), CellState::damaged);
                 make(again, lora);
                 EXPECT_EQ(again.state(run.cell(lora)), CellState::whole);
                 fs::remove(run.file(lora));
                 fs::remove(run.record_file(lora));
               });
}

TEST(RunSharing, AProcessMayBeKilledAtAnyMomentOfItsFirstStart) {
  EventSink events;
  const TemporaryFolder folder;
  const fs::path place = folder / "run";
  const auto kill_and_start_again = [&](SteppedProcess& other) {
    other.kill();
    RunStore again(place, events);
    if (again.frozen()) {
      EXPECT_EQ(again.frozen()->hash(), small_plan().hash());
      EXPECT_EQ(read_file(place / names::plan_toml), small_plan().toml);
    } else {
      again.freeze(small_plan());
    }
    EXPECT_TRUE(RunStore::open(place, events).frozen());
    fs::remove_all(place);
  };
  at_each_stop([&] { RunStore(place, events).freeze(small_plan()); }, kill_and_start_again, 9);  // each stop costs an fsync
}

TEST(RunSharing, ThreadsMayWriteAndLookAtOnce) {
  SmallRun run(false);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (size_t number = 0; number < first_row; ++number) {
        make(run.store, number);
        EXPECT_EQ(run.state(number), CellState::whole);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(temporary_files(run.folder.path()), 0u);
}

TEST(RunSharing, ALockHoldsAgainstThisProcessAndOthersUntilItIsGivenBack) {
  SmallRun run(false);
  RunStore second(run.folder.path(), run.events);
  const auto is_free_elsewhere = [&](size_t number) {
    return exit_code_of(in_another_process([&] {
             EventSink events;
             RunStore store(run.folder.path(), events);
             return store.try_lock(run.cell(number)) ? 0 : 1;
           })) == 0;
  };
  {
    auto lock = run.store.try_lock(run.cell(lora));
    ASSERT_TRUE(lock);
    EXPECT_FALSE(run.store.try_lock(run.cell(lora)));
    EXPECT_FALSE(second.try_lock(run.cell(lora)));
    EXPECT_FALSE(is_free_elsewhere(lora));
    EXPECT_TRUE(is_free_elsewhere(first_picture)) << "one cell is locked, not the run";
    EXPECT_FALSE(is_free_elsewhere(lora)) << "another store of this folder, closed, takes no lock with it";
    std::vector<CellLock> locks;
    locks.push_back(std::move(*lock));
    lock.reset();
    EXPECT_FALSE(is_free_elsewhere(lora)) << "it moved";
  }
  EXPECT_TRUE(is_free_elsewhere(lora));
  EXPECT_TRUE(second.try_lock(run.cell(lora)));
}

TEST(RunSharing, ALockOutlivesItsStoreAndGoesWithAKilledProcess) {
  SmallRun run(false);
  {
    std::optional<CellLock> lock;
    {
      RunStore store(run.folder.path(), run.events);
      lock = store.try_lock(run.cell(lora));
    }
    EXPECT_FALSE(run.store.try_lock(run.cell(lora)));
  }
  const Signal locked;
  const pid_t other = in_another_process([&] {
    RunStore store(run.folder.path(), run.events);
    const auto lock = store.try_lock(run.cell(lora));
    locked.give();
    ::pause();
    return lock ? 0 : 1;
  });
  locked.await();
  EXPECT_FALSE(run.store.try_lock(run.cell(lora)));
  ::kill(other, SIGKILL);
  exit_code_of(other);
  EXPECT_TRUE(run.store.try_lock(run.cell(lora)));
}

TEST(CellLocks, WhereTheSystemHasNoneSayItOnceAndHoldWithinTheProcess) {
  const TemporaryFolder folder;
  Notices notices;
  CellLocks locks(folder / "cells.lock", notices);
  constexpr uint64_t no_offset = uint64_t{1} << 63;  // a byte that fcntl refuses, as some network disks refuse every one
  EXPECT_TRUE(locks.take(no_offset));
  EXPECT_FALSE(locks.take(no_offset));
  EXPECT_TRUE(locks.take(1));
  ASSERT_EQ(notices.texts.size(), 1u);
  EXPECT_TRUE(contains(notices.texts[0], (folder / "cells.lock").string()) && contains(notices.texts[0], "--shard"));
  locks.give_back(no_offset);
  EXPECT_TRUE(locks.take(no_offset));
}

TEST(RunSharing, RemovesWhatKilledProcessesLeftAndNothingThatIsBeingWritten) {
  const SmallRun run;
  const Signal begun;
  const auto half_written = [&](const std::string& name) {
    return in_another_process([&, name] {
      const NewFile file(run.folder / "pictures" / name, "half");
      begun.give();
      ::pause();
      return 0;
    });
  };
  const pid_t killed = half_written("killed.png"), alive = half_written("alive.png");
  begun.await();
  begun.await();
  ::kill(killed, SIGKILL);
  exit_code_of(killed);
  const auto whole = all_files(run.folder.path()).size();
  replace_file(run.folder / "pictures/.theirs.png.tmp-0123abcd-1-0", "another machine's");
  const auto left = [&](const std::string& part) {
    size_t count = 0;
    for (const auto& [file, bytes] : all_files(run.folder.path())) count += contains(file, part);
    return count;
  };
  ASSERT_EQ(left("killed"), 1u);
  RunStore again(run.folder.path(), const_cast<EventSink&>(run.events));
  EXPECT_EQ(left("killed"), 0u);
  EXPECT_EQ(left("alive"), 1u);
  EXPECT_EQ(left("theirs"), 1u) << "the process may live there";
  EXPECT_EQ(all_files(run.folder.path()).size(), whole);
  remove_left_files(run.folder.path(), std::time(nullptr) + 25 * 3600);
  EXPECT_EQ(left("theirs"), 0u) << "a day is enough";
  ::kill(alive, SIGKILL);
  exit_code_of(alive);
}

TEST(Shard, EachCellIsOfOneRank) {
  for (size_t index = 0; index < 20; ++index) {
    int ranks = 0;
    for (int rank = 0; rank < 3; ++rank) ranks += Shard{rank, 3}.has(index);
    EXPECT_EQ(ranks, 1);
  }
}

}  // namespace
}  // namespace negativa
