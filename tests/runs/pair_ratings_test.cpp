#include "runs/pair_ratings.h"

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "../base/temporary_folder.h"
#include "base/files.h"

namespace negativa {
namespace {

RatingPlan a_plan(const std::string& id = "00000000000000aa") {
  return {id, "Ödön \"the eye\"", {"plain", "article"}, 40, 18446744073709551615u};
}

PairRating an_answer(int index, PairAnswer answer = PairAnswer::left) {
  PairRating rating;
  rating.plan = "00000000000000aa";
  rating.index = index;
  rating.prompt = "frog, \"green\"\n";
  rating.seed = 18446744073709551614u;
  rating.left_arm = "plain";
  rating.right_arm = "article";
  rating.left_picture = "pictures/plain-frog-11111111.png";
  rating.right_picture = "pictures/article-frog-22222222.png";
  rating.answer = answer;
  rating.shown_unix_ms = 1'700'000'000'000 + index;
  rating.taken_ms = 1234;
  return rating;
}

class PairRatingsFile : public testing::Test {
 protected:
  void SetUp() override { append_plan(file, a_plan()); }
  PairRatings read() const { return read_pair_ratings(file); }
  std::string text() const { return read_file(file); }
  void append_raw(const std::string& bytes) const { std::ofstream(file, std::ios::app | std::ios::binary) << bytes; }
  // The line that append_answer writes of it, with one thing in it replaced.
  std::string line_with(const std::string& what, const std::string& by) const {
    const auto other = folder / "other.jsonl";
    std::filesystem::remove(other);
    append_answer(other, an_answer(0));
    std::string line = read_file(other);
    const size_t at = line.find(what);
    EXPECT_NE(at, std::string::npos) << what << " in " << line;
    return line.replace(at, what.size(), by);
  }
  // The one notice of a file that has this line besides a good answer.
  std::string notice_of(const std::string& line) const {
    append_answer(file, an_answer(1));
    append_raw(line);
    const PairRatings found = read();
    EXPECT_EQ(found.answers.size(), 1u) << line;
    EXPECT_EQ(found.notices.size(), 1u) << line;
    return found.notices.empty() ? "" : found.notices[0];
  }

  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "ratings.jsonl";
};

TEST_F(PairRatingsFile, GivesBackWhatWasAppended) {
  append_answer(file, an_answer(0, PairAnswer::both_bad));
  PairRating repeat = an_answer(1, PairAnswer::equal);
  repeat.repeat = true;
  append_answer(file, repeat);
  const PairRatings found = read();
  EXPECT_TRUE(found.notices.empty());
  ASSERT_EQ(found.plans.size(), 1u);
  EXPECT_EQ(found.plans[0].id, a_plan().id);
  EXPECT_EQ(found.plans[0].rater, a_plan().rater);
  EXPECT_EQ(found.plans[0].arms, a_plan().arms);
  EXPECT_EQ(found.plans[0].pairs, 40);
  EXPECT_EQ(found.plans[0].seed, 18446744073709551615u);
  ASSERT_EQ(found.answers.size(), 2u);
  const PairRating expected = an_answer(0), &first = found.answers[0];
  EXPECT_EQ(first.plan, expected.plan);
  EXPECT_EQ(first.index, 0);
  EXPECT_FALSE(first.repeat);
  EXPECT_EQ(first.prompt, expected.prompt);
  EXPECT_EQ(first.seed, expected.seed);
  EXPECT_EQ(first.left_arm, "plain");
  EXPECT_EQ(first.right_arm, "article");
  EXPECT_EQ(first.left_picture, expected.left_picture);
  EXPECT_EQ(first.right_picture, expected.right_picture);
  EXPECT_EQ(first.answer, PairAnswer::both_bad);
  EXPECT_EQ(first.shown_unix_ms, expected.shown_unix_ms);
  EXPECT_EQ(first.taken_ms, 1234);
  EXPECT_TRUE(found.answers[1].repeat);
  EXPECT_EQ(found.answers[1].answer, PairAnswer::equal);
}

TEST_F(PairRatingsFile, EachLineIsOneObjectAndNoneIsEverChanged) {
  append_answer(file, an_answer(0));
  const std::string before = text();
  append_undo(file, a_plan().id, 0);
  EXPECT_TRUE(text().starts_with(before));
  EXPECT_EQ(text().substr(before.size()), R"({"index":0,"kind":"undo","plan":"00000000000000aa"})"
                                          "\n");
}

TEST_F(PairRatingsFile, AnAbsentOneHasNothingAndAFolderIsRefused) {
  const PairRatings none = read_pair_ratings(folder / "none.jsonl");
  EXPECT_TRUE(none.plans.empty() && none.answers.empty() && none.notices.empty());
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { read_pair_ratings(folder.path()); }), "is not a file"));
}

TEST_F(PairRatingsFile, AnAnswerTakenBackMayBeGivenAnew) {
  append_answer(file, an_answer(0, PairAnswer::left));
  append_answer(file, an_answer(1, PairAnswer::left));
  append_undo(file, a_plan().id, 1);
  EXPECT_EQ(read().answers.size(), 1u);
  append_answer(file, an_answer(1, PairAnswer::right));
  const PairRatings found = read();
  ASSERT_EQ(found.answers.size(), 2u);
  EXPECT_EQ(found.answers[1].answer, PairAnswer::right);
  EXPECT_TRUE(found.notices.empty());
}

TEST_F(PairRatingsFile, CutAnywhereLosesAtMostTheCutLineAndSaysSo) {
  append_answer(file, an_answer(0));
  const size_t whole = text().size();
  append_answer(file, an_answer(1));
  const std::string all = text();
  for (const size_t length : {whole + 1, whole + 30, all.size() - 2}) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << all.substr(0, length);
    const PairRatings found = read();
    EXPECT_EQ(found.answers.size(), 1u) << length;
    ASSERT_EQ(found.notices.size(), 1u) << length;
    EXPECT_TRUE(contains(found.notices[0], "ratings.jsonl:3] was cut off")) << found.notices[0];
    append_answer(file, an_answer(1, PairAnswer::right));  // goes on behind it
    ASSERT_EQ(read().answers.size(), 2u) << length;
    EXPECT_EQ(read().answers[1].answer, PairAnswer::right);
    EXPECT_EQ(read().notices.size(), 1u);
  }
}

TEST_F(PairRatingsFile, ALineThatLacksItsEndAloneIsWhole) {
  append_answer(file, an_answer(0));
  std::filesystem::resize_file(file, text().size() - 1);
  EXPECT_EQ(read().answers.size(), 1u);
  EXPECT_TRUE(read().notices.empty());
  append_answer(file, an_answer(1));
  EXPECT_EQ(read().answers.size(), 2u);
}

TEST_F(PairRatingsFile, OfTwoWritersTheFirstAnswerCounts) {
  append_answer(file, an_answer(0, PairAnswer::left));
  append_answer(file, an_answer(0, PairAnswer::right));
  const PairRatings found = read();
  ASSERT_EQ(found.answers.size(), 1u);
  EXPECT_EQ(found.answers[0].answer, PairAnswer::left);
  ASSERT_EQ(found.notices.size(), 1u);
  EXPECT_TRUE(contains(found.notices[0], "ratings.jsonl:3] is a second answer to pair 0")) << found.notices[0];
}

TEST_F(PairRatingsFile, AClockThatWentBackIsNoticedAndTheAnswerCounts) {
  PairRating earlier = an_answer(1);
  earlier.shown_unix_ms = 1000;
  append_answer(file, an_answer(0));
  append_answer(file, earlier);
  EXPECT_EQ(read().answers.size(), 2u);
  ASSERT_EQ(read().notices.size(), 1u);
  EXPECT_TRUE(contains(read().notices[0], "clock went back"));
}

TEST_F(PairRatingsFile, AnUnknownArmIsLeftOut) {
  EXPECT_TRUE(contains(notice_of(line_with("\"plain\"", "\"other\"")), "is of the arm \"other\", which its plan has not"));
}
TEST_F(PairRatingsFile, OneArmOnBothSidesIsLeftOut) {
  EXPECT_TRUE(contains(notice_of(line_with("\"plain\"", "\"article\"")), "on both sides"));
}
TEST_F(PairRatingsFile, AnAnswerWithoutItsPlanIsLeftOut) {
  EXPECT_TRUE(contains(notice_of(line_with("00aa", "00bb")), "of which there is no line"));
}
TEST_F(PairRatingsFile, AnAnswerOfNoneOfTheFourWordsIsLeftOut) {
  EXPECT_TRUE(contains(notice_of(line_with("\"left\"", "\"best\"")), "expected left, right, equal or both_bad"));
}
TEST_F(PairRatingsFile, APairThatThePlanDoesNotShowIsLeftOut) {
  EXPECT_TRUE(contains(notice_of(line_with("\"index\":0", "\"index\":44")), "expected 0 to 43"));
}
TEST_F(PairRatingsFile, APictureOutsideTheFolderIsLeftOut) {
  EXPECT_TRUE(contains(notice_of(line_with("pictures/plain", "pictures/../../plain")), "expected a path below the folder"));
}
TEST_F(PairRatingsFile, APlanOfMorePairsThanAnyoneRatesIsLeftOut) {
  RatingPlan plan = a_plan("00000000000000cc");
  plan.pairs = 2147483647;
  append_plan(file, plan);
  ASSERT_EQ(read().notices.size(), 1u);
  EXPECT_TRUE(contains(read().notices[0], "\"pairs\": got 2147483647, expected 1 to 100000")) << read().notices[0];
}
TEST_F(PairRatingsFile, ATimeBelowZeroIsLeftOut) {
  EXPECT_TRUE(contains(notice_of(line_with("1234", "-1")), "expected 0 or more"));
}
TEST_F(PairRatingsFile, AKeyGivenTwiceIsLeftOut) {
  EXPECT_TRUE(contains(notice_of(line_with("\"index\":0", "\"index\":0,\"index\":1")), "appears twice"));
}
TEST_F(PairRatingsFile, ALineOfAnotherKindIsLeftOut) {
  EXPECT_TRUE(contains(notice_of("{\"kind\":\"verdict\"}\n"), "expected plan, answer or undo"));
}
TEST_F(PairRatingsFile, AnUndoOfNothingIsLeftOut) {
  EXPECT_TRUE(contains(notice_of(R"({"index":7,"kind":"undo","plan":"00000000000000aa"})"
                                 "\n"),
                       "that is not there"));
}
TEST_F(PairRatingsFile, ASecondPlanOfOneIdIsLeftOut) {
  append_plan(file, a_plan());
  EXPECT_EQ(read().plans.size(), 1u);
  EXPECT_TRUE(contains(read().notices.at(0), "is the second plan"));
}

TEST_F(PairRatingsFile, AFileOfSomethingElseIsToldInFewLines) {
  for (int i = 0; i < 100; ++i) append_raw("\xff\xd8 no JSON\n");
  const PairRatings found = read();
  EXPECT_EQ(found.plans.size(), 1u);
  ASSERT_EQ(found.notices.size(), 21u);
  EXPECT_TRUE(contains(found.notices.back(), "80 more lines"));
  for (const auto& notice : found.notices) EXPECT_EQ(notice.find('\n'), std::string::npos) << notice;
}

TEST_F(PairRatingsFile, ThatCannotGrowKeepsWhatItHadAndSaysWhy) {
  append_answer(file, an_answer(0));
  const std::string before = text();
  rlimit usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &usual), 0);
  rlimit tight = usual;
  tight.rlim_cur = before.size() + 20;
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const std::string error = error_of(ErrorKind::machine, [&] { append_answer(file, an_answer(1)); });
  ::setrlimit(RLIMIT_FSIZE, &usual);
  ::signal(SIGXFSZ, handler);
  EXPECT_TRUE(contains(error, "disk full")) << error;
  EXPECT_EQ(text(), before);
}

TEST(RepeatsOf, OnePairInTenRounded) {
  EXPECT_EQ(repeats_of(40), 4);
  EXPECT_EQ(repeats_of(4), 0);
  EXPECT_EQ(repeats_of(5), 1);
  EXPECT_EQ(repeats_of(14), 1);
  EXPECT_EQ(repeats_of(15), 2);
}

}  // namespace
}  // namespace negativa
