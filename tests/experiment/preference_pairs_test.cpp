// Which of two pictures is preferred, by the judge and by people, and the pairs that trainers read.
#include "experiment/preference_pairs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../report/made_run.h"
#include "experiment/judge_pairs.h"
#include "experiment/rejects.h"

namespace negativa {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(JudgePrefers, LowerDamageWinsUnlessTheRightObjectIsLostByMoreThanATwentieth) {
  const JudgedPicture plain{nullptr, 0.5, 0.9};
  const auto against_plain = [&](double damage, double right_object) {
    return judge_prefers({nullptr, damage, right_object}, plain);
  };
  EXPECT_EQ(against_plain(0.4, 0.9), Preferred::first);
  EXPECT_EQ(against_plain(0.4, 0.86), Preferred::first);   // 0.04 lost
  EXPECT_EQ(against_plain(0.4, 0.84), Preferred::tie);     // 0.06 lost: less damage, but not the object
  EXPECT_EQ(against_plain(0.6, 0.95), Preferred::second);  // the other loses 0.05 and has less damage
  EXPECT_EQ(against_plain(0.6, 0.99), Preferred::tie);
  EXPECT_EQ(against_plain(0.5, 0.9), Preferred::tie);
  EXPECT_EQ(against_plain(0.5, 0.1), Preferred::tie);  // neither has less damage
  // The judge knows no object of the prompt.
  EXPECT_EQ(judge_prefers({nullptr, 0.4, {}}, {nullptr, 0.5, {}}), Preferred::first);
}

// Prompt 0: article better, 1: worse, 2: a tie.
Values three_ways(const RunPlan& plan, const PlannedCell& picture) {
  const bool is_article = plan.arms[static_cast<size_t>(picture.arm)].name == "article";
  const double change = picture.prompt == 0 ? -0.2 : picture.prompt == 1 ? 0.2 : 0.0;
  return {{"damage", 0.5 + (is_article ? change : 0)}, {"right_object", 0.8}};
}

struct Preferences : testing::Test {
  const MadeRun run{made_plan(made_prompts(3, 1), {{"nothing"}, {"article", 1}, {"word"}}), three_ways};
  struct Said : EventSink {
    std::vector<std::string> notices;
    void on_notice(const std::string& line) override { notices.push_back(line); }
  } said;

  std::string picture(const std::string& arm, int prompt) const {
    for (const auto& cell : run.plan().cells)
      if (cell.stage == CellStage::picture && cell.prompt == prompt && run.plan().arms[static_cast<size_t>(cell.arm)].name == arm)
        return cell.file;
    throw std::logic_error("no picture of " + arm);
  }
  // One pair a prompt and rater, `article` on the left, and the repeat that each plan of that size has.
  void rate(const std::string& id, const std::vector<PairAnswer>& answers, bool leaves_last_out = false) const {
    const auto file = run.folder / pair_ratings_file;
    const RatingPlan plan{id, "", {"nothing", "article"}, static_cast<int>(answers.size()), 1};
    append_plan(file, plan);
    for (size_t i = 0; i + leaves_last_out < answers.size(); ++i) {
      PairRating answer;
      answer.plan = id;
      answer.index = static_cast<int>(i);
      answer.prompt = run.plan().prompts[i].text;
      answer.seed = run.plan().prompts[i].noise_seeds[0];
      answer.left_arm = "article";
      answer.right_arm = "nothing";
      answer.left_picture = picture("article", static_cast<int>(i));
      answer.right_picture = picture("nothing", static_cast<int>(i));
      answer.answer = answers[i];
      append_answer(file, answer);
    }
  }
  PreferencePairs pairs(PairSource source, const std::vector<std::string>& arms = {}) {
    return preference_pairs(run.store, {arms, source}, said);
  }
};

TEST_F(Preferences, OfTheJudgeAreTheWinnersOfThePlannedComparison) {
  const PreferencePairs found = pairs(PairSource::judge);
  ASSERT_EQ(found.pairs.size(), 2u);
  EXPECT_EQ(found.ties, 1u);
  EXPECT_EQ(found.pairs[0].winner, picture("article", 0));
  EXPECT_EQ(found.pairs[0].loser, picture("nothing", 0));
  EXPECT_EQ(found.pairs[1].winner, picture("nothing", 1));
  EXPECT_EQ(found.pairs[1].prompt, "test prompt 1");
  EXPECT_EQ(found.pairs[1].seed, 1000u);
  EXPECT_EQ(found.pairs[1].source, "judge");
}

TEST_F(Preferences, OfPeopleComeFirstAndTheJudgeFillsWhatNobodyJudged) {
  rate("00000000000000aa", {PairAnswer::right, PairAnswer::equal});
  const PreferencePairs all = pairs(PairSource::all);
  ASSERT_EQ(all.pairs.size(), 1u);  // prompt 0 by people, against the judge; 1 is their tie, 2 the judge's
  EXPECT_EQ(all.pairs[0].winner, picture("nothing", 0));
  EXPECT_EQ(all.pairs[0].source, "people");
  EXPECT_EQ(all.ties, 2u);
  EXPECT_EQ(pairs(PairSource::people).pairs.size(), 1u);
  EXPECT_EQ(pairs(PairSource::judge).pairs.size(), 2u);
}

TEST_F(Preferences, OfSeveralRatersTheMajorityCounts) {
  rate("00000000000000aa", {PairAnswer::left, PairAnswer::left, PairAnswer::both_bad});
  rate("00000000000000bb", {PairAnswer::left, PairAnswer::right, PairAnswer::left});
  const PreferencePairs found = pairs(PairSource::people);
  ASSERT_EQ(found.pairs.size(), 2u);
  EXPECT_EQ(found.ties, 1u);
  EXPECT_EQ(found.pairs[0].for_it, 2);
  EXPECT_EQ(found.pairs[1].for_it, 1);
  EXPECT_EQ(found.pairs[1].against_it, 0);
}

TEST_F(Preferences, OfARatingThatIsNotFinishedCountForNothing) {
  rate("00000000000000aa", {PairAnswer::left, PairAnswer::left}, true);
  EXPECT_THAT(error_of(ErrorKind::input, [&] { pairs(PairSource::people); }), HasSubstr("has no finished rating"));
  EXPECT_EQ(pairs(PairSource::all).pairs.size(), 2u);
  EXPECT_THAT(said.notices.back(), HasSubstr("is not finished"));
}

TEST_F(Preferences, NameWhatIsWrongWithArms) {
  EXPECT_THAT(error_of(ErrorKind::input,
                       [&] {
                         pairs(PairSource::judge, {"nothing", "artikle"});
                       }),
              HasSubstr("no arm \"artikle\"; did you mean article?"));
  EXPECT_THAT(error_of(ErrorKind::input, [&] { pairs(PairSource::judge, {"nothing"}); }), HasSubstr("two different arms"));
  EXPECT_THAT(error_of(ErrorKind::input, [&] { pairs(PairSource::judge, {"nothing", "nothing"}); }), HasSubstr("two different"));
}

TEST_F(Preferences, PeopleRejectWhatLosesOrIsBadMoreOftenThanNot) {
  const auto rejected = [&](const std::string& arm) {
    std::vector<std::string> names;
    for (const auto& picture : rejected_by_people(run.store, read_pair_ratings(run.folder / pair_ratings_file), arm))
      names.push_back(picture.file.lexically_relative(run.folder.path()).generic_string());
    return names;
  };
  rate("00000000000000aa", {PairAnswer::right, PairAnswer::both_bad, PairAnswer::left});
  EXPECT_THAT(rejected("article"), ElementsAre(picture("article", 0), picture("article", 1)));
  EXPECT_THAT(rejected("nothing"), ElementsAre(picture("nothing", 1), picture("nothing", 2)));
  rate("00000000000000bb", {PairAnswer::left, PairAnswer::both_bad, PairAnswer::equal});
  EXPECT_THAT(rejected("article"), ElementsAre(picture("article", 1)));  // of prompt 0 it is one answer against one
  rate("00000000000000cc", {PairAnswer::right, PairAnswer::right, PairAnswer::right}, true);
  EXPECT_THAT(rejected("article"), ElementsAre(picture("article", 1)));
}

TEST(RandomRejects, AreAsManyAsAskedForDifferentAndTheSameForOneSeed) {
  std::vector<RejectedPicture> pictures;
  for (int i = 0; i < 40; ++i) pictures.push_back({fmt::format("{:02}.png", i), "", {}, {}});
  const auto names = [&](uint64_t seed) {
    std::vector<std::string> names;
    for (const auto& picture : at_random(pictures, 10, seed)) names.push_back(picture.file);
    return names;
  };
  const auto chosen = names(1);
  EXPECT_EQ(chosen.size(), 10u);
  EXPECT_EQ(std::set<std::string>(chosen.begin(), chosen.end()).size(), 10u);
  EXPECT_EQ(chosen, names(1));
  EXPECT_NE(chosen, names(2));
  EXPECT_EQ(count_of_share(0.25, 10), 3u);
  EXPECT_EQ(count_of_share(0.01, 10), 1u);
}

}  // namespace
}  // namespace negativa
