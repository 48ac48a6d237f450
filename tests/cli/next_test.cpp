// `negativa experiment next` and `pairs` before they make anything: what is refused, in one line, with nothing left behind.
#include "../runs/small_run.h"
#include "program.h"

namespace negativa::test {
namespace {

using Arguments = Workplace::Arguments;

struct AfterARun : ::testing::Test {
  const SmallRun run;
  const std::string folder = run.folder.path().string();
  const Workplace place;

  void expect_refused(const std::string& what, Arguments args) const {
    args.insert(args.begin(), "experiment");
    const auto before = place.files();
    const Ran ran = place.run(args);
    EXPECT_EQ(ran.exit_code, 2) << ran.err;
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    EXPECT_TRUE(contains(ran.err, what)) << ran.err << "expected: " << what;
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(place.files(), before) << what;
    EXPECT_FALSE(fs::exists(run.folder / "rounds")) << what;
  }
};

TEST_F(AfterARun, NextRefusesWhatItCannotUse) {
  expect_refused("a run folder is needed", {"next"});
  expect_refused("[none] does not exist", {"next", "none"});
  expect_refused("has no plan.json", {"next", "."});
  expect_refused("[--rounds] got \"0\", expected an integer in 1..", {"next", folder, "--rounds", "0"});
  expect_refused("[--share] got \"2\"", {"next", folder, "--share", "2"});
  expect_refused("[--reject] is empty", {"next", folder, "--reject", ""});
  expect_refused("[--share] has no effect with --reject people", {"next", folder, "--reject", "people", "--share", "0.5"});
  expect_refused("[--judge-select] has no effect with --reject random",
                 {"next", folder, "--reject", "random", "--judge-select", "judge"});
  expect_refused("no arm \"artcle\"; did you mean article?", {"next", folder, "--arm", "artcle"});
  expect_refused("the arm plain has no LoRAs that the run trains on a set", {"next", folder, "--arm", "plain"});
}

TEST_F(AfterARun, PairsRefuseWhatTheyCannotUse) {
  expect_refused("a run folder is needed", {"pairs"});
  expect_refused("[-o] is needed", {"pairs", folder});
  expect_refused("none/pairs.jsonl", {"pairs", folder, "-o", "none/pairs.jsonl"});
  expect_refused("[--source] got \"judges\"", {"pairs", folder, "-o", "pairs.jsonl", "--source", "judges"});
  expect_refused("no arm \"artcle\"; did you mean article?", {"pairs", folder, "-o", "pairs.jsonl", "--arms", "plain,artcle"});
  expect_refused("has no finished rating", {"pairs", folder, "-o", "pairs.jsonl", "--source", "people"});
  expect_refused("no pair has a winner: 2 are ties", {"pairs", folder, "-o", "pairs.jsonl"});
}

}  // namespace
}  // namespace negativa::test
