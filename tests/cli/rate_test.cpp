// `negativa rate` before its page: what is refused, and how it ends.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "../runs/small_run.h"
#include "base/file_lock.h"
#include "base/files.h"
#include "program.h"
#include "runs/rating_session.h"

namespace negativa::test {
namespace {

namespace fs = std::filesystem;
using Arguments = Workplace::Arguments;

// Folders of four small pictures each, with the same prompts and seeds.
class Rate : public ::testing::Test {
 protected:
  Rate() {
    for (const char* name : {"a", "b"}) set_of(name, 4);
  }
  void set_of(const std::string& name, int count, const std::string& prompt = "frog") const {
    fs::create_directories(place / name);
    std::string lines;
    for (int i = 0; i < count; ++i) {
      const std::string file = fmt::format("{:04}.png", i);
      write_atomically(place / name / file, encode_png(Image8::filled(4, 4, white)));
      lines += Json{{"file_name", file}, {"text", prompt}, {"seed", i}}.dump() + "\n";
    }
    place.write(name + "/metadata.jsonl", lines);
  }
  void expect_refused(const std::string& what, Arguments args) const {
    args.insert(args.begin(), {"rate", "--port", "0"});
    const auto before = place.files();
    const Ran ran = place.run(args);
    EXPECT_EQ(ran.exit_code, 2) << ran.err;
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    EXPECT_TRUE(ran.err.starts_with("negativa: ")) << ran.err;
    EXPECT_TRUE(contains(ran.err, what)) << ran.err << "expected: " << what;
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(place.files(), before) << what;
  }
  const Workplace place;
};

TEST_F(Rate, RefusesWhatCannotBeRated) {
  fs::create_directories(place / "empty");
  expect_refused("a run's folder is needed", {});
  expect_refused("[none] does not exist", {"none"});
  expect_refused("has no plan.json", {"a"});
  expect_refused("has no metadata.jsonl", {"a", "empty"});
  expect_refused("[--arms] goes with a run", {"a", "b", "--arms", "a,b"});
  set_of("other", 4, "owl");
  expect_refused("no two pictures of one prompt and seed", {"a", "other"});
  fs::create_directories(place / "broken");
  place.write("broken/metadata.jsonl", "{\"file_name\"");
  expect_refused("broken/metadata.jsonl:1] is not valid JSON", {"a", "broken"});
}

TEST_F(Rate, RefusesNumbersAndNamesThatAreNone) {
  expect_refused("[--pairs] got \"0\", expected an integer in 1..", {"a", "b", "--pairs", "0"});
  expect_refused("[--pairs] got 5, expected at most 4", {"a", "b", "--pairs", "5"});
  expect_refused("[--rater] has control characters", {"a", "b", "--rater", "A\nnn"});
}

TEST_F(Rate, RefusesASecondRatingAndRatingsThatAreNoFile) {
  {
    const FileLock open(place / "ratings.jsonl", "held");
    expect_refused("another rating is open on it", {"a", "b"});
  }
  fs::remove(place / "ratings.jsonl");
  fs::create_directory(place / "ratings.jsonl");
  expect_refused("ratings.jsonl] cannot be written: Is a directory", {"a", "b"});
}

TEST_F(Rate, RatingsOfAnotherNumberOrOfOtherPicturesAreRefused) {
  const Json plan = {{"kind", "plan"}, {"id", "aa"}, {"rater", "Ann"}, {"arms", {"a", "b"}}, {"pairs", 3}, {"seed", 1}};
  const Json answer = {{"kind", "answer"},
                       {"plan", "aa"},
                       {"index", 0},
                       {"repeat", false},
                       {"prompt", "frog"},
                       {"seed", 77},
                       {"left_arm", "a"},
                       {"right_arm", "b"},
                       {"answer", "left"},
                       {"taken_ms", 1},
                       {"shown_unix_ms", 1},
                       {"left_picture", "a/0077.png"},
                       {"right_picture", "b/0077.png"}};
  place.write("ratings.jsonl", plan.dump() + "\n");
  expect_refused("Ann has begun 3 of these arms", {"a", "b", "--rater", "Ann", "--pairs", "4"});
  place.write("ratings.jsonl", plan.dump() + "\n" + answer.dump() + "\n");
  expect_refused("Ann has rated other pictures than are there now", {"a", "b", "--rater", "Ann"});
}

TEST_F(Rate, RefusesArmsThatARunHasNotAndRunsThatAreNotDrawn) {
  const SmallRun run;
  const std::string folder = run.folder.path().string();
  expect_refused("no arm \"artcle\"; did you mean article?", {folder, "--arms", "plain,artcle"});
  expect_refused("got plain alone", {folder, "--arms", "plain"});
  fs::remove(run.file(first_picture));
  fs::remove(run.record_file(first_picture));
  expect_refused("1 of 2 pictures of the arm plain are not drawn", {folder});
  EXPECT_FALSE(fs::exists(run.folder / "ratings.jsonl"));
}

TEST_F(Rate, OneThatIsOverSaysSoAndWhatIsDamagedIsSaid) {
  {
    RatingSession session(ratable_folders(place / "a", place / "b"), {"Ann", 3}, [](const std::string&) {});
    while (!session.is_over()) session.answer(PairAnswer::left, 1, 1);
  }
  std::ofstream(place / "ratings.jsonl", std::ios::app) << "{\"kind\": \"ans";
  const Ran ran = place.run({"rate", "a", "b", "--rater", "Ann", "--port", "0"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_TRUE(ran.out.starts_with("all 3 pairs are rated\n")) << ran.out;
  EXPECT_TRUE(contains(ran.out, " of pairs; no interval: ")) << ran.out;
  EXPECT_TRUE(contains(ran.out, "it was the left one in 100 %")) << ran.out;
  EXPECT_TRUE(contains(ran.err, "ratings.jsonl:5] was cut off")) << ran.err;
  EXPECT_TRUE(contains(ran.err, "3 pairs of a and b")) << ran.err;
}

// The plan is on disk before the page's address is printed, and interrupting is no fault.
TEST_F(Rate, IsBegunByItsPlanAndEndsWithTheInterrupt) {
  const pid_t child = place.start({"rate", "a", "b", "--port", "0"});
  for (int i = 0; i < 2000 && !rating_is_open(place / "."); ++i) ::usleep(5000);
  for (int i = 0; i < 2000 && read_pair_ratings(place / "ratings.jsonl").plans.empty(); ++i) ::usleep(5000);
  ::kill(child, SIGINT);
  EXPECT_EQ(exit_code_of(child), 0);
  ASSERT_EQ(read_pair_ratings(place / "ratings.jsonl").plans.size(), 1u);
  EXPECT_EQ(read_pair_ratings(place / "ratings.jsonl").plans[0].pairs, 4) << "all there are";
}

}  // namespace
}  // namespace negativa::test
