// What people said of a run: the numbers by hand, and what the page tells of them.
#include "report/people.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/files.h"
#include "base/text.h"
#include "hand_rated.h"
#include "image/image.h"
#include "report/page.h"
#include "stats/shares.h"

namespace negativa {

namespace {

constexpr auto left = PairAnswer::left, right = PairAnswer::right, equal = PairAnswer::equal, both_bad = PairAnswer::both_bad;
constexpr const char* hostile = R"x(</script><img src=x onerror="alert(1)">'&<!--)x";

// Of the arm article the damage of prompt p is p hundredths less.
Values judged(const RunPlan& plan, const PlannedCell& picture) {
  const bool is_article = plan.arms[static_cast<size_t>(picture.arm)].name == "article";
  return {{"damage", 0.5 - (is_article ? 0.01 * picture.prompt : 0)}, {"right_object", 0.8}};
}

RunPlan small_plan(size_t prompts = 4, const std::vector<MadeArm>& arms = {{"nothing"}, {"article", 1}}) {
  return made_plan(made_prompts(prompts, 1), arms);
}

MadeRun made_run(const RunPlan& plan) {
  return MadeRun(plan, judged, {}, [](const PlannedCell&) { return encode_png(Image8::filled(8, 8, {9, 9, 9})); });
}

PeopleVerdict verdict_of(const MadeRun& run, const HandRated& rated) {
  return people_verdict(run.plan(), run.records(), rated.ratings);
}

std::string page_of(const MadeRun& run, bool keep = false) {
  const RunRecords records = run.records();
  PageOptions options;
  options.keep = keep;
  options.people = read_people(run.store, run.plan(), records);
  return make_page(run.store, run.plan(), records, analyse(run.plan(), records), options).html;
}

// Two pairs won by article, one tied, one lost.
void rate_four(HandRated& rated, const std::string& rater) {
  rated.begin(rater, 4)
      .answer(0, "nothing", "article", right)
      .answer(1, "article", "nothing", left)
      .answer(2, "article", "nothing", both_bad)
      .answer(3, "nothing", "article", left);
}

}  // namespace

TEST(People, AWinRateCountsPicturesWhateverSideTheyWereOnAndTiesHalf) {
  const MadeRun run = made_run(small_plan());
  HandRated rated(run.plan());
  rate_four(rated, "Ann");
  const PeopleVerdict people = verdict_of(run, rated);
  ASSERT_EQ(people.comparisons.size(), 1u);
  const PeopleComparison& one = people.comparisons[0];
  EXPECT_EQ(arms_text(one.rate), "article over nothing");
  EXPECT_DOUBLE_EQ(one.rate.rate, 2.5 / 4);
  EXPECT_EQ(std::tuple(one.rate.wins, one.rate.losses, one.rate.ties), std::tuple(2.0, 1.0, 1.0));
  EXPECT_EQ(std::tuple(one.answers, one.both_bad), std::tuple(4u, 1u));
  EXPECT_DOUBLE_EQ(one.rate.interval->low, wilson_of_share(0.625, 4).low);
  EXPECT_EQ(std::tuple(people.left.hits, people.left.of), std::tuple(2u, 3u));
  EXPECT_DOUBLE_EQ(people.left.interval->high, wilson(2, 3).high);
  EXPECT_EQ(people.consistency.of, 0u);
  ASSERT_EQ(people.strengths.arms.size(), 2u);
  EXPECT_NEAR(people.strengths.arms[0].log_strength, std::log(2.0) / 2, 1e-9) << "article: two won, one lost";
}

TEST(People, OneRaterIsCalledThisRaterAndSeveralPeople) {
  const MadeRun run = made_run(small_plan());
  HandRated rated(run.plan());
  rate_four(rated, "Ann");
  const auto all_of = [](const PeopleVerdict& people) {
    return preference_sentence(people, people.comparisons[0]) + joined(sentences(people), " ");
  };
  const std::string one = all_of(verdict_of(run, rated));
  EXPECT_TRUE(contains(one, "this rater prefers: article wins 62 % of pairs")) << one;
  EXPECT_FALSE(contains(one, "people")) << one;
  rate_four(rated, "Bob");
  const std::string several = all_of(verdict_of(run, rated));
  EXPECT_TRUE(contains(several, "people prefer: article wins 62 % of pairs")) << several;
  EXPECT_FALSE(contains(several, "this rater")) << several;
}

TEST(People, AClearPreferenceIsSaidForWhicheverArmHasIt) {
  const MadeRun run = made_run(small_plan(10));
  for (const bool is_article : {true, false}) {
    HandRated rated(run.plan());
    rated.begin("", 10);
    for (int p = 0; p < 10; ++p) rated.answer(p, "nothing", "article", is_article ? right : left);
    rated.repeat(0, "article", "nothing", equal);
    const PeopleVerdict people = verdict_of(run, rated);
    EXPECT_TRUE(short_sentence(people).starts_with(is_article ? "This rater prefers article to nothing: article wins 100 %"
                                                              : "This rater prefers nothing to article: article wins 0 %"))
        << short_sentence(people);
    EXPECT_EQ(contains(joined(sentences(people), " "), "the side itself moved the answers"), true);
    EXPECT_FALSE(people.strengths.tie.has_value()) << "an arm that always won has no finite strength";
  }
}

TEST(People, RatersAreAveragedWithinAPairAndTheirAgreementIsKrippendorffs) {
  const MadeRun run = made_run(small_plan(2));
  HandRated rated(run.plan());
  rated.begin("Ann", 2).answer(0, "nothing", "article", right).answer(1, "nothing", "article", right);
  rated.begin("Bob", 2).answer(0, "article", "nothing", left).answer(1, "article", "nothing", right);
  const PeopleVerdict people = verdict_of(run, rated);
  EXPECT_EQ(people.raters.size(), 2u);
  EXPECT_DOUBLE_EQ(people.comparisons[0].rate.rate, 0.75);
  EXPECT_EQ(people.comparisons[0].rate.pairs, 2u);
  EXPECT_EQ(people.shared_pairs, 2u);
  // Three of four values are alike: disagreement 2 of 4 seen, 6 of 12 by chance.
  EXPECT_NEAR(people.alpha.value(), 0, 1e-12);
}

TEST(People, AlphaIsOfPicturesNotOfSides) {
  const MadeRun run = made_run(small_plan(2));
  HandRated rated(run.plan());
  rated.begin("Ann", 2).answer(0, "nothing", "article", right).answer(1, "nothing", "article", left);
  rated.begin("Bob", 2).answer(0, "article", "nothing", left).answer(1, "article", "nothing", right);
  EXPECT_NEAR(verdict_of(run, rated).alpha.value(), 1, 1e-12);
}

TEST(People, SwappedRepeatsMeasureConsistencyAndNothingElse) {
  const MadeRun run = made_run(small_plan(15));
  HandRated rated(run.plan());
  rated.begin("Ann", 15);
  for (int p = 0; p < 15; ++p) rated.answer(p, "nothing", "article", p == 2 ? both_bad : p < 9 ? right : left);
  rated.repeat(0, "article", "nothing", left).repeat(10, "article", "nothing", equal);  // the same picture; not the same
  rated.begin("Bob", 5);
  for (int p = 0; p < 5; ++p) rated.answer(p, "article", "nothing", p == 2 ? both_bad : left);
  rated.repeat(2, "nothing", "article", equal);  // a tie both times
  const PeopleVerdict people = verdict_of(run, rated);
  EXPECT_EQ(std::tuple(people.raters[0].consistency.hits, people.raters[0].consistency.of), std::tuple(1u, 2u));
  EXPECT_EQ(std::tuple(people.raters[1].consistency.hits, people.raters[1].consistency.of), std::tuple(1u, 1u));
  EXPECT_EQ(std::tuple(people.consistency.hits, people.consistency.of), std::tuple(2u, 3u));
  EXPECT_DOUBLE_EQ(people.consistency.interval->low, wilson(2, 3).low);
  EXPECT_EQ(people.comparisons[0].answers, 20u);
  EXPECT_EQ(std::tuple(people.left.hits, people.left.of), std::tuple(6u + 4u, 14u + 4u));
  EXPECT_EQ(people.raters[0].answers, 15u);
}

TEST(People, OfARatersTwoAnswersToAPairTheFirstCounts) {
  const MadeRun run = made_run(small_plan(2, {{"nothing"}, {"article", 1}, {"word"}}));
  HandRated rated(run.plan());
  rated.begin("Ann", 1).answer(0, "nothing", "article", right);
  rated.begin("Ann", 2, {"nothing", "article", "word"}).answer(0, "nothing", "article", left).answer(1, "word", "article", right);
  const PeopleVerdict people = verdict_of(run, rated);
  EXPECT_EQ(people.raters.size(), 1u);
  ASSERT_EQ(people.comparisons.size(), 2u);
  EXPECT_DOUBLE_EQ(people.comparisons[0].rate.rate, 1);
  EXPECT_EQ(arms_text(people.comparisons[1].rate), "word over article") << "the later arm over the earlier one";
  EXPECT_EQ(people.raters[0].answers, 2u);
  EXPECT_EQ(people.alpha, std::nullopt);
  EXPECT_EQ(people.why_no_alpha, "there is one rater");
}

TEST(People, AgreeWithTheJudgeWhereThePreferredPictureHasLessDamage) {
  const auto correlation = [](const std::string& primary, bool with_judge) {
    RunPlan plan = small_plan(6);
    plan.analysis.primary = primary;
    const MadeRun run = made_run(plan);
    HandRated rated(run.plan());
    rated.begin("Ann", 6);
    for (int p = 0; p < 6; ++p)
      rated.answer(p, "article", "nothing", p < 2 ? (with_judge ? right : left) : p < 4 ? equal : (with_judge ? left : right));
    rated.repeat(0, "nothing", "article", left);
    const PeopleVerdict people = people_verdict(run.plan(), run.records(), rated.ratings);
    EXPECT_TRUE(contains(joined(sentences(people), " "), with_judge ? "they agree on which" : "they disagree on which"));
    return people.comparisons[0].judge;
  };
  // Ranks 0.5 0.5 2.5 2.5 4.5 4.5 beside 0 to 5.
  const double expected = 16 / std::sqrt(16 * 17.5);
  for (const std::string primary : {"article - nothing", "nothing - article"}) {
    EXPECT_NEAR(correlation(primary, true).value.value(), expected, 1e-9) << primary;
    EXPECT_NEAR(correlation(primary, false).value.value(), -expected, 1e-9) << primary;
  }
  EXPECT_EQ(correlation("article - nothing", true).points, 6u);
}

TEST(People, HaveNoCorrelationWithAJudgeThatSaidNothing) {
  const RunPlan plan = small_plan(6);
  const MadeRun run(plan, judged, [](const PlannedCell& cell) { return cell.stage == CellStage::metrics && cell.prompt < 4; });
  HandRated rated(run.plan());
  rate_four(rated, "Ann");
  const Correlation judge = verdict_of(run, rated).comparisons[0].judge;
  EXPECT_EQ(judge.value, std::nullopt);
  EXPECT_EQ(judge.why_absent, "no pair of these is measured");
}

TEST(People, RatingsOfOtherArmsOrPicturesAreNotedAndNotCounted) {
  const MadeRun run = made_run(small_plan());
  HandRated rated(run.plan());
  rated.begin("Ann", 1, {"nothing", "gone"}).answer(0, "nothing", "gone", right);
  rated.begin("Bob", 1).answer(0, "nothing", "article", right);
  rated.ratings.answers.back().seed += 1;
  const PeopleVerdict people = verdict_of(run, rated);
  EXPECT_FALSE(people.has_verdict());
  ASSERT_EQ(people.notices.size(), 2u);
  EXPECT_EQ(people.notices[0], "a rating of \"Ann\" compares the arm \"gone\", which is not there; it is not counted");
  EXPECT_TRUE(people.notices[1].starts_with("a rating of \"Bob\" is of the picture \"pictures/")) << people.notices[1];
}

// What an unfinished rating says makes no difference to any byte.
TEST(People, OfAnUnfinishedRatingThePageTellsHowFarItIsAndNothingElse) {
  const RunPlan plan = small_plan();
  std::vector<std::string> pages;
  for (const auto given : {left, right}) {
    const MadeRun run = made_run(plan);
    HandRated rated(run.plan());
    rate_four(rated, "Ann");
    rated.begin("Bob", 4);
    for (int p = 0; p < 3; ++p) rated.answer(p, "article", "nothing", given);
    rated.begin("Ann", 2).answer(0, "article", "nothing", given);
    rated.write(run.folder.path());
    pages.push_back(page_of(run));
  }
  EXPECT_EQ(pages[0], pages[1]);
  for (const char* part : {"<bdi>Bob</bdi>", "3 of 4", "1 of 2", "article wins 62 % of pairs", "Not rated to the end"})
    EXPECT_TRUE(contains(pages[0], part)) << part;
}

TEST(People, WithNobodyAtTheEndThereIsNoVerdict) {
  const MadeRun run = made_run(small_plan());
  HandRated rated(run.plan());
  rated.begin("Ann", 4).answer(0, "article", "nothing", left);
  EXPECT_EQ(short_sentence(verdict_of(run, rated)), "No verdict before the end: 1 of 4 answered.");
  rated.write(run.folder.path());
  const std::string html = page_of(run);
  EXPECT_TRUE(contains(html, "No verdict before the end"));
  EXPECT_FALSE(contains(html, "Consistency"));
}

TEST(People, NamesThatAreMarkupStandOnThePageAsText) {
  const MadeRun run = made_run(small_plan());
  HandRated rated(run.plan());
  rate_four(rated, hostile);
  rated.begin(std::string(hostile) + "\x1b[2J", 4);
  rated.begin(hostile, 1, {"nothing", hostile});
  rated.write(run.folder.path());
  for (const bool keep : {false, true}) {
    const std::string html = page_of(run, keep);
    EXPECT_FALSE(contains(html, "<img src=x"));
    EXPECT_FALSE(contains(html, "\x1b"));
    EXPECT_TRUE(contains(html, "&lt;/script&gt;&lt;img src=x onerror="));
  }
}

TEST(People, DamagedLinesAreNotedWithoutTheFoldersPath) {
  const MadeRun run = made_run(small_plan());
  HandRated rated(run.plan());
  rate_four(rated, "Ann");
  rated.write(run.folder.path());
  std::ofstream(run.folder / pair_ratings_file, std::ios::app) << "{\"kind\": \"plan\"}\n{\"kind\": \"ans";
  const std::string html = page_of(run);
  EXPECT_TRUE(contains(html, "[ratings.jsonl:6] has no &quot;id&quot;")) << html.substr(html.find("ratings.jsonl"), 200);
  EXPECT_TRUE(contains(html, "[ratings.jsonl:7] was cut off"));
  EXPECT_FALSE(contains(html, run.folder.path().string()));
  EXPECT_TRUE(contains(html, "article wins 62 % of pairs"));
}

TEST(People, RatingsThatCannotBeReadAreNotedAndTheRestOfThePageStands) {
  const MadeRun run = made_run(small_plan());
  fs::create_directory(run.folder / pair_ratings_file);
  const std::string html = page_of(run);
  EXPECT_TRUE(contains(html, "[ratings.jsonl] is not a file"));
  EXPECT_TRUE(contains(html, "<section id=\"methods\""));
}

TEST(People, APageOfARunThatNobodyRatedDoesNotSpeakOfThem) {
  const MadeRun run = made_run(small_plan());
  const std::string html = page_of(run);
  for (const char* part : {"\"people\"", "#people", "this rater", "ratings.jsonl"}) EXPECT_FALSE(contains(html, part)) << part;
  HandRated rated(run.plan());
  rate_four(rated, "Ann");
  rated.write(run.folder.path());
  const std::string with = page_of(run);
  EXPECT_TRUE(contains(with, "<section id=\"people\""));
  EXPECT_LT(with.find("<section id=\"verdict\""), with.find("<section id=\"people\""));
  EXPECT_LT(with.find("<section id=\"people\""), with.find("<section id=\"worse\""));
  EXPECT_EQ(with, page_of(run));
}

TEST(People, OfThreeArmsAllComparisonsAndStrengthsAreThereThePlannedOneFirst) {
  const MadeRun run = made_run(small_plan(3, {{"nothing"}, {"word"}, {"article", 1}}));
  HandRated rated(run.plan());
  rated.begin("Ann", 9, {"nothing", "word", "article"});
  for (int p = 0; p < 3; ++p)
    rated.answer(p, "nothing", "word", p == 0 ? left : right)
        .answer(p, "word", "article", p == 1 ? left : right)
        .answer(p, "article", "nothing", p == 2 ? equal : left);
  rated.repeat(0, "word", "nothing", right);
  const PeopleVerdict people = verdict_of(run, rated);
  ASSERT_EQ(people.comparisons.size(), 3u);
  EXPECT_EQ(arms_text(people.comparisons[0].rate), "article over nothing");
  EXPECT_EQ(arms_text(people.comparisons[1].rate), "word over nothing");
  EXPECT_EQ(arms_text(people.comparisons[2].rate), "article over word");
  ASSERT_EQ(people.strengths.arms.size(), 3u);
  EXPECT_GT(people.strengths.arms[0].log_strength, people.strengths.arms[2].log_strength) << "article and word";
  rated.write(run.folder.path());
  const std::string html = page_of(run);
  EXPECT_TRUE(contains(html, "Forest plot: strength of every rated arm"));
  EXPECT_TRUE(contains(html, "none is adjusted for how many they are"));
  EXPECT_TRUE(contains(short_sentence(people), " 2 comparisons more on the page.")) << short_sentence(people);
}

TEST(People, OfTwoFoldersOnlyTheirOwnRatingsCount) {
  RatableSet set{"", {"a", "b"}, {{0, "frog", 1, "a/1.png"}, {1, "frog", 1, "b/1.png"}}, ""};
  PairRatings ratings;
  ratings.plans = {{"1", "Ann", {"a", "b"}, 1, 1}, {"2", "Ann", {"a", "c"}, 1, 1}};
  PairRating answer;
  answer.plan = "1", answer.prompt = "frog", answer.seed = 1;
  answer.left_arm = "a", answer.left_picture = "a/1.png", answer.right_arm = "b", answer.right_picture = "b/1.png";
  answer.answer = right;
  ratings.answers = {answer};
  const PeopleVerdict people = people_verdict(set, ratings);
  EXPECT_TRUE(people.notices.empty());
  ASSERT_EQ(people.comparisons.size(), 1u);
  EXPECT_DOUBLE_EQ(people.comparisons[0].rate.rate, 1);
  EXPECT_EQ(people.comparisons[0].judge.why_absent, "two folders have no judge");
}

}  // namespace negativa
