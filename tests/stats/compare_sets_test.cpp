#include "stats/compare_sets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/error.h"

namespace negativa {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Set = std::vector<ScoredPicture>;

// `prompts` prompts with the seeds 0 .. seeds - 1, values that differ a little.
Set pictures(size_t prompts, size_t seeds, double shift = 0, bool with_seeds = true) {
  Set set;
  for (size_t p = 0; p < prompts; ++p) {
    for (size_t s = 0; s < seeds; ++s) {
      const double value =
          10 + std::sin(static_cast<double>(7 * p + s)) + shift * (1 + 0.2 * std::cos(static_cast<double>(3 * p + s)));
      set.push_back({fmt::format("{:04}.png", set.size()), fmt::format("prompt {}", p),
                     with_seeds ? std::optional<uint64_t>(s) : std::nullopt, value});
    }
  }
  return set;
}

std::string first_line(const SetComparison& comparison) { return pairing_lines(comparison).front(); }

}  // namespace

TEST(Sets, PairByPromptAndSeedWhateverTheirOrder) {
  const Set first = pictures(6, 2);
  Set second = pictures(6, 2, 0.5);
  std::reverse(second.begin(), second.end());
  const SetComparison comparison = compare_sets(first, second);
  EXPECT_TRUE(comparison.paired);
  EXPECT_EQ(first_line(comparison), "6 prompts, 12 pairs of pictures, paired by prompt and seed");
  EXPECT_EQ(pairing_lines(comparison).size(), 1u);
  for (const auto& prompt : comparison.pairing.prompts)
    for (const auto& pair : prompt.pairs) EXPECT_EQ(first[pair.first].name, second[pair.second].name);
  EXPECT_NEAR(comparison.difference.mean, 0.5, 0.1);
  EXPECT_NEAR(comparison.difference.mean, comparison.second.mean - comparison.first.mean, 1e-12);
  EXPECT_EQ(comparison.difference.prompts, 6u);  // the prompt is the unit, not the picture
  EXPECT_EQ(comparison.signs->positive, 6u);
  EXPECT_EQ(comparison.wilcoxon->p_value.value(), 2.0 / 64);
  const auto lines = sentences(comparison);
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_THAT(lines[0], testing::StartsWith("for these sets, on prompts like these: +0."));
  EXPECT_THAT(lines[3], HasSubstr("80 % power"));
}

TEST(Sets, WithoutSeedsPairByPromptAndOrder) {
  const SetComparison none = compare_sets(pictures(6, 2), pictures(6, 2, 0.5, false));
  EXPECT_EQ(first_line(none), "6 prompts, 12 pairs of pictures, paired by prompt and order, since pictures have no seed");
  EXPECT_TRUE(none.unpaired_first.empty());
  // One picture without a seed: its prompt alone goes by order.
  Set second = pictures(6, 2, 0.5);
  second[3].seed.reset();
  EXPECT_EQ(first_line(compare_sets(pictures(6, 2), second)),
            "6 prompts, 12 pairs of pictures, paired by prompt and seed, 1 prompt by order, since pictures have no seed");
}

TEST(Sets, NameWhatHasNoPartner) {
  Set first = pictures(6, 2), second = pictures(6, 2, 0.5);
  first.erase(first.begin() + 5);                             // seed 1 of prompt 2
  second.push_back({"extra.png", "prompt 0", 77, 100});       // a seed of one set only
  second.push_back({"other.png", "another prompt", 0, 100});  // a prompt of one set only
  first.push_back({"mine.png", "my prompt", 0, -100});
  const SetComparison comparison = compare_sets(first, second);
  EXPECT_THAT(comparison.unpaired_first, ElementsAre("mine.png"));
  EXPECT_THAT(comparison.unpaired_second, ElementsAre("0005.png", "extra.png", "other.png"));
  EXPECT_THAT(pairing_lines(comparison),
              ElementsAre("6 prompts, 11 pairs of pictures, paired by prompt and seed",
                          "1 picture of the first set without a partner left out: mine.png",
                          "3 pictures of the second set without a partner left out: 0005.png, extra.png, other.png"));
  EXPECT_THAT(pairing_lines(comparison, 2)[2], HasSubstr("left out: 0005.png, extra.png and 1 more"));
  EXPECT_NEAR(comparison.difference.mean, 0.5, 0.1);  // none of the hundreds in it
  EXPECT_NEAR(comparison.first.mean, 10, 1);
}

TEST(Sets, OfThePromptAndSeedTwicePairInOrder) {
  Set first = pictures(5, 1), second = pictures(5, 1, 0.5);
  first.push_back({"again.png", "prompt 0", 0, 3});
  second.push_back({"too.png", "prompt 0", 0, 4});
  second.push_back({"third.png", "prompt 0", 0, 5});
  const SetComparison comparison = compare_sets(first, second);
  ASSERT_EQ(comparison.pairing.prompts[0].pairs.size(), 2u);
  EXPECT_EQ(second[comparison.pairing.prompts[0].pairs[1].second].name, "too.png");
  EXPECT_THAT(comparison.unpaired_second, ElementsAre("third.png"));
}

TEST(Sets, OfFewerThanFivePairedPromptsStandUnpaired) {
  Set first = pictures(9, 2), second = pictures(9, 3, 2.0);
  for (auto& picture : second)
    if (picture.prompt >= "prompt 4") picture.prompt = "other " + picture.prompt;
  const SetComparison four = compare_sets(first, second);
  EXPECT_FALSE(four.paired);
  EXPECT_THAT(
      first_line(four),
      testing::StartsWith("unpaired: pictures of 4 prompts pair, fewer than 5; all pictures are compared, by Welch's interval"));
  EXPECT_EQ(four.difference.prompts, 9u);
  EXPECT_EQ(four.difference.second_prompts, 9u);
  EXPECT_TRUE(four.unpaired_first.empty());  // nothing is left out
  EXPECT_EQ(four.wilcoxon, std::nullopt);
  EXPECT_THAT(sentences(four), ElementsAre(HasSubstr("9 prompts against 9 prompts, unpaired, Welch's interval with")));
  // Each prompt once, whatever its number of pictures.
  Set more = second;
  for (int i = 0; i < 20; ++i) more.push_back(second[0]);
  EXPECT_EQ(compare_sets(first, more).difference.second_prompts, 9u);

  second = pictures(9, 3, 2.0);
  for (auto& picture : second)
    if (picture.prompt >= "prompt 5") picture.prompt = "other " + picture.prompt;
  EXPECT_TRUE(compare_sets(first, second).paired);
}

TEST(Sets, WithAFewCaptionsInCommonByChanceStandUnpairedButASetAndAPartOfItPair) {
  const Set first = pictures(20, 1);
  Set second = pictures(30, 1, 2.0);
  for (size_t i = 9; i < second.size(); ++i) second[i].prompt = "other " + second[i].prompt;
  EXPECT_THAT(
      first_line(compare_sets(first, second)),
      testing::StartsWith("unpaired: 9 pictures of the smaller set's 20 pair, less than half; all pictures are compared"));
  second[9].prompt = "prompt 9";
  EXPECT_TRUE(compare_sets(first, second).paired);
  EXPECT_TRUE(compare_sets(pictures(100, 2), pictures(6, 2)).paired);
}

TEST(Sets, EqualToEachOtherDifferByNothing) {
  const Set set = pictures(6, 3);
  const SetComparison comparison = compare_sets(set, set);
  EXPECT_EQ(comparison.difference.mean, 0);
  EXPECT_EQ(comparison.difference.inference, std::nullopt);
  EXPECT_EQ(comparison.signs->zero, 6u);
  for (const auto& line : sentences(comparison)) EXPECT_EQ(line.find("nan"), std::string::npos) << line;
  EXPECT_THAT(sentences(comparison)[0], HasSubstr("no prompt differs"));
}

TEST(Sets, HaveSetStatisticsOnlyWithTheSamePromptsAndCounts) {
  const Set two = pictures(6, 2);
  EXPECT_TRUE(same_prompts_and_counts(two, pictures(6, 2, 1, false)));
  EXPECT_FALSE(same_prompts_and_counts(two, pictures(6, 3)));
  EXPECT_FALSE(same_prompts_and_counts(two, pictures(5, 2)));
  EXPECT_FALSE(same_prompts_and_counts(pictures(5, 2), two));
}

TEST(Sets, EmptyOrWithoutNumbersAreRefused) {
  const auto refusal = [](const Set& first, const Set& second) -> std::string {
    try {
      compare_sets(first, second);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      return error.what();
    }
    return "not refused";
  };
  Set bad = pictures(5, 1);
  bad[2].value = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(refusal({}, bad), HasSubstr("the first set has no picture"));
  EXPECT_THAT(refusal(pictures(5, 1), {}), HasSubstr("the second set has no picture"));
  EXPECT_THAT(refusal(pictures(5, 1), bad), HasSubstr("0002.png has the value nan"));
  EXPECT_THAT(refusal(bad, pictures(5, 1)), HasSubstr("0002.png has the value nan"));
  // One prompt on either side: numbers, but no interval.
  const SetComparison one = compare_sets(pictures(1, 4), pictures(1, 4, 1));
  EXPECT_FALSE(one.paired);
  EXPECT_THAT(sentences(one)[0], HasSubstr("no interval: one prompt has no spread"));
  EXPECT_THAT(sentence(mean_of_set(pictures(1, 4))), HasSubstr("no interval: one prompt"));
}

TEST(Sets, AloneHaveAMeanOverPromptsWithItsInterval) {
  Set set = pictures(6, 1);
  for (int i = 0; i < 30; ++i) set.push_back({"copy.png", "prompt 0", static_cast<uint64_t>(i + 1), set[0].value});
  const Estimate mean = mean_of_set(set), plain = mean_of_set(pictures(6, 1));
  EXPECT_NEAR(mean.mean, plain.mean, 1e-12);  // thirty more of one prompt weigh nothing
  EXPECT_EQ(mean.prompts, 6u);
  EXPECT_THAT(sentence(mean), testing::StartsWith("for this set, on prompts like these: 10."));
}

}  // namespace negativa
