#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "stats/compare_arms.h"
#include "stats/families.h"
#include "stats/power.h"
#include "stats/shares.h"
#include "stats/two_way.h"

namespace negativa {

namespace {

using testing::HasSubstr;

constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();

// One line that says all of `parts`.
template <class Action>
void expect_refused(Action action, std::initializer_list<std::string> parts) {
  try {
    action();
    FAIL() << "not refused; expected a line with: " << *parts.begin();
  } catch (const Error& error) {
    const std::string line = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::input) << line;
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    EXPECT_THAT(line, testing::StartsWith("[statistics]"));
    for (const auto& part : parts) EXPECT_THAT(line, HasSubstr(part));
  }
}

Measurement picture(const std::string& prompt, std::optional<int64_t> training, uint64_t seed, double value) {
  return {prompt, training, seed, value};
}

std::vector<Measurement> arm_of(std::initializer_list<std::string> prompts, std::vector<std::optional<int64_t>> trainings,
                                std::initializer_list<uint64_t> seeds) {
  std::vector<Measurement> rows;
  for (const auto& prompt : prompts)
    for (const auto& training : trainings)
      for (const auto seed : seeds)
        rows.push_back(picture(prompt, training, seed,
                               std::sin(static_cast<double>(rows.size())) + static_cast<double>(training.value_or(0))));
  return rows;
}

DifferenceTable table(size_t prompts, std::vector<double> values) {
  DifferenceTable result;
  for (size_t p = 0; p < prompts; ++p) result.prompts.push_back(fmt::format("prompt {}", p));
  for (size_t t = 0; t < values.size() / prompts; ++t) result.trainings.push_back(static_cast<int64_t>(t));
  result.values = std::move(values);
  return result;
}

}  // namespace

TEST(Arms, SeedsAreAveragedBeforePromptsAreCompared) {
  // Prompt "a" has many pictures and "b" one: both count the same, and a single prompt's pictures give no interval, however many.
  std::vector<Measurement> baseline, arm;
  for (uint64_t seed = 0; seed < 9; ++seed) {
    baseline.push_back(picture("a", {}, seed, 10 + static_cast<double>(seed)));
    arm.push_back(picture("a", 0, seed, 12 + static_cast<double>(seed)));
  }
  EXPECT_EQ(compare_arms(baseline, arm).these.inference, std::nullopt);
  baseline.push_back(picture("b", {}, 5, 1));
  arm.push_back(picture("b", 0, 5, 2));
  const ArmComparison comparison = compare_arms(baseline, arm);
  EXPECT_EQ(comparison.table.values, (std::vector<double>{2, 1}));
  EXPECT_DOUBLE_EQ(comparison.these.mean, 1.5);
  EXPECT_EQ(comparison.these.inference.value().degrees_of_freedom, 1);
}

TEST(Arms, PairInAnyOrderOfRows) {
  const auto baseline = arm_of({"a", "b", "c"}, {{}}, {1, 2}), arm = arm_of({"a", "b", "c"}, {7, 3}, {1, 2});
  auto mixed = arm;
  std::reverse(mixed.begin(), mixed.end());
  std::swap(mixed[1], mixed[4]);
  const DifferenceTable straight = paired_differences(baseline, arm), shuffled = paired_differences(baseline, mixed);
  EXPECT_EQ(straight.trainings, (std::vector<int64_t>{3, 7}));
  EXPECT_EQ(shuffled.trainings, straight.trainings);
  for (size_t p = 0; p < 3; ++p) {
    const auto same = std::find(shuffled.prompts.begin(), shuffled.prompts.end(), straight.prompts[p]) - shuffled.prompts.begin();
    for (size_t t = 0; t < 2; ++t) EXPECT_EQ(straight.at(p, t), shuffled.at(static_cast<size_t>(same), t));
  }
  EXPECT_NEAR(straight.at(1, 0), (arm[6].value + arm[7].value - baseline[2].value - baseline[3].value) / 2, 1e-15);
}

TEST(Arms, OfWhichOneHasNoTrainingStandAgainstEachTrainingOfTheOther) {
  const auto plain = arm_of({"a", "b"}, {{}}, {0}), trained = arm_of({"a", "b"}, {0, 1, 2}, {0});
  const DifferenceTable there = paired_differences(plain, trained), back = paired_differences(trained, plain);
  ASSERT_EQ(there.values.size(), 6u);
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(there.values[i], -back.values[i]);
  EXPECT_EQ(paired_differences(trained, trained).values, std::vector<double>(6, 0.0));
}

TEST(Arms, SayWhatTheyClaim) {
  const auto prompts = {std::string("a"), std::string("b"), std::string("c"), std::string("d")};
  const auto plain = arm_of(prompts, {{}}, {0}), keyword = arm_of(prompts, {{}}, {0}), one = arm_of(prompts, {4}, {0}),
             three = arm_of(prompts, {0, 1, 2}, {0});

  const auto without_training = compare_arms(plain, keyword);
  EXPECT_EQ(without_training.these.claim, Claim::these_sets);
  EXPECT_EQ(without_training.made_this_way, std::nullopt);

  const auto lines_of_one = sentences(compare_arms(plain, one));
  EXPECT_THAT(lines_of_one[0], testing::StartsWith("for this LoRA, on prompts like these: "));
  EXPECT_THAT(
      lines_of_one[1],
      HasSubstr(
          "for LoRAs made this way, on prompts like these: not computable, one training says nothing of how trainings differ"));

  const auto lines_of_three = sentences(compare_arms(plain, three));
  EXPECT_THAT(lines_of_three[0], testing::StartsWith("for these LoRAs, on prompts like these: "));
  EXPECT_THAT(lines_of_three[0], HasSubstr("4 prompts x 3 trainings"));
  EXPECT_THAT(lines_of_three[1], testing::StartsWith("for LoRAs made this way, on prompts like these: "));
  EXPECT_THAT(lines_of_three[1], HasSubstr("; with 3 trainings such intervals may cover only 92 %, 5 trainings would hold 95 %"));
  EXPECT_THAT(lines_of_three[2], HasSubstr("tests symmetry about 0, not the mean"));
  EXPECT_THAT(lines_of_three[3], HasSubstr("of 4 prompts up"));

  const auto five = compare_arms(plain, arm_of(prompts, {0, 1, 2, 3, 4}, {0}));
  EXPECT_THAT(sentence(*five.made_this_way), testing::Not(HasSubstr("may cover")));
}

TEST(Arms, WithoutSpreadHaveNoIntervalAndSayWhy) {
  const auto plain = arm_of({"a", "b", "c"}, {{}}, {0, 1});
  const auto trained = arm_of({"a", "b", "c"}, {0, 1}, {0, 1});
  const auto same = compare_arms(trained, trained);  // all differences zero
  EXPECT_EQ(same.these.inference, std::nullopt);
  EXPECT_EQ(same.made_this_way.value().inference, std::nullopt);
  EXPECT_EQ(same.wilcoxon.p_value, std::nullopt);
  for (const auto& line : sentences(same)) EXPECT_EQ(line.find("nan"), std::string::npos) << line;
  EXPECT_THAT(sentences(same)[0], HasSubstr("no interval: no prompt differs"));
  EXPECT_EQ(same.signs.zero, 3u);

  auto shifted = plain;
  for (auto& row : shifted) row.value += 0.1;  // all differences the same, but for rounding
  const auto constant = compare_arms(plain, shifted);
  EXPECT_EQ(constant.these.inference, std::nullopt);
  EXPECT_THAT(constant.these.why_absent, HasSubstr("all 3 prompts have the same difference"));

  const auto one_prompt = compare_arms(arm_of({"a"}, {{}}, {0, 1}), arm_of({"a"}, {0, 1, 2}, {0, 1}));
  EXPECT_EQ(one_prompt.these.inference, std::nullopt);
  EXPECT_THAT(one_prompt.these.why_absent, HasSubstr("one prompt"));
  EXPECT_THAT(one_prompt.made_this_way.value().why_absent, HasSubstr("one prompt"));
  EXPECT_TRUE(std::isfinite(one_prompt.wilcoxon.p_value.value()));
}

TEST(Arms, ThatDoNotBelongTogetherAreRefusedByName) {
  const auto baseline = arm_of({"a", "b"}, {{}}, {0, 1}), arm = arm_of({"a", "b"}, {0, 1, 2}, {0, 1});
  const auto without = [](std::vector<Measurement> rows, size_t i) {
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(i));
    return rows;
  };
  const auto with = [](std::vector<Measurement> rows, const Measurement& row) {
    rows.push_back(row);
    return rows;
  };
  expect_refused([&] { paired_differences({}, arm); }, {"0 pictures of the baseline"});
  expect_refused([&] { paired_differences(baseline, {}); }, {"0 pictures of the arm"});
  expect_refused([&] { paired_differences(baseline, without(arm, 9)); }, {"\"b\", training 1: the arm lacks seed 1"});
  expect_refused([&] { paired_differences(without(baseline, 2), arm); }, {"\"b\": the baseline lacks seed 0"});
  expect_refused([&] { paired_differences(with(baseline, picture("a", {}, 9, 1)), arm); },
                 {"\"a\", training 0: the arm lacks seed 9"});
  expect_refused([&] { paired_differences(with(baseline, picture("c", {}, 0, 1)), arm); },
                 {"\"c\" is a prompt of the baseline only"});
  expect_refused([&] { paired_differences(baseline, with(arm, picture("c", 0, 0, 1))); }, {"\"c\"", "the baseline lacks seed 0"});
  expect_refused([&] { paired_differences(baseline, with(arm, picture("a", 1, 1, 1))); },
                 {"\"a\", training 1, seed 1, stands twice in the arm"});
  expect_refused([&] { paired_differences(with(baseline, picture("b", {}, 1, 1)), arm); },
                 {"\"b\", seed 1, stands twice in the baseline"});
  expect_refused([&] { paired_differences(baseline, with(arm, picture("a", {}, 5, 1))); },
                 {"1 of 13 pictures of the arm name no training"});
  expect_refused(
      [&] {
        paired_differences(arm_of({"a", "b"}, {0, 1, 4}, {0, 1}), arm);
      },
      {"trainings 0, 1, 4 of the baseline and 0, 1, 2 of the arm"});
  // Both lack a picture of one training: they pair, but the table is not balanced.
  expect_refused([&] { paired_differences(without(arm, 5), without(arm, 5)); }, {"\"a\", training 2: the arm lacks seed 1"});
  expect_refused([&] { paired_differences(without(arm, 1), without(arm, 1)); }, {"\"a\", training 0: the arm lacks seed 1"});
  for (const double bad : {nan, infinity, -infinity}) {
    expect_refused([&] { paired_differences(baseline, with(without(arm, 0), picture("a", 0, 0, bad))); },
                   {"\"a\", seed 0, of the arm has the value", "finite"});
    expect_refused([&] { paired_differences(with(without(baseline, 0), picture("a", {}, 0, bad)), arm); },
                   {"of the baseline has the value"});
  }
}

TEST(Statistics, RefuseWhatIsNoNumber) {
  for (const double bad : {nan, infinity}) {
    const std::vector<double> values{1, bad, 2};
    expect_refused([&] { mean_over_prompts(values, Claim::these_sets, false); }, {"value 2 of 3", "finite"});
    expect_refused([&] { wilcoxon(values); }, {"difference 2 of 3"});
    expect_refused([&] { signs(values); }, {"difference 2 of 3"});
    expect_refused([&] { welch_difference(values, std::vector<double>{1, 2}); }, {"value 2 of 3"});
    expect_refused([&] { welch_difference(std::vector<double>{1, 2}, values); }, {"value 2 of 3"});
    expect_refused([&] { loras_made_this_way(table(3, {1, 2, bad, 1, 2, 3})); }, {"difference 3 of 6"});
    expect_refused([&] { power_over_prompts(values, Claim::these_loras); }, {"difference 2 of 3"});
    expect_refused(
        [&] {
          power_over_prompts(std::vector<double>{1, 2}, Claim::these_loras, {.effect = bad});
        },
        {"difference of", "to find"});
    expect_refused([&] { holm(std::vector<std::optional<double>>{0.5, bad}); }, {"p of", "0 to 1"});
    for (const double level : {bad, 0.0, 1.0, -0.5, 95.0}) {
      expect_refused([&] { mean_over_prompts(std::vector<double>{1, 2}, Claim::these_sets, false, level); }, {"level"});
      expect_refused([&] { wilson(1, 2, level); }, {"level"});
      expect_refused([&] { simultaneous_level(level, 3); }, {"level"});
      expect_refused([&] { power_over_prompts(std::vector<double>{1, 2}, Claim::these_loras, {.power = level}); }, {"power"});
    }
  }
  expect_refused([] { mean_over_prompts({}, Claim::these_sets, false); }, {"no prompt"});
  expect_refused([] { wilcoxon({}); }, {"no prompt"});
  expect_refused([] { welch_difference({}, std::vector<double>{1.0}); }, {"0 prompts and 1 prompt"});
  expect_refused([] { loras_made_this_way({}); }, {"no prompt"});
  expect_refused([] { two_way(table(1, {1, 2})); }, {"1 prompt x 2 trainings"});
  expect_refused([] { advice_on_trainings(1); }, {"1 training"});
  expect_refused([] { wilson(0, 0); }, {"0 pictures"});
  expect_refused([] { wilson(3, 2); }, {"3 hits among 2 pictures"});
  expect_refused([] { share_of_pictures({}); }, {"no picture"});
  expect_refused([] { simultaneous_level(0.95, 0); }, {"no comparison"});
}

TEST(Statistics, TiesAndZerosAreFoundUpToRounding) {
  const double third = 1.0 / 3, almost = 2.0 / 3 - 1.0 / 3 + 1e-16;
  const Wilcoxon test = wilcoxon(std::vector<double>{third, -almost, 1, 1e-17, 2, 3});
  EXPECT_EQ(test.zeros, 1u);
  EXPECT_EQ(test.method, WilcoxonMethod::normal);
  EXPECT_EQ(test.rank_sum_negative, 1.5);
  EXPECT_EQ(signs(std::vector<double>{third, 1e-17, -1}).zero, 1u);
}

TEST(Statistics, HolmCountsWhatCouldNotBeComputed) {
  const auto adjusted = holm(std::vector<std::optional<double>>{0.02, std::nullopt, 0.5});
  EXPECT_DOUBLE_EQ(adjusted[0].value(), 0.06);
  EXPECT_EQ(adjusted[1], std::nullopt);
  EXPECT_DOUBLE_EQ(adjusted[2].value(), 1);
  EXPECT_TRUE(holm({}).empty());
  EXPECT_DOUBLE_EQ(simultaneous_level(0.95, 10), 0.995);
}

TEST(Statistics, SharesOfSeveralPicturesAPromptGoByPrompts) {
  std::vector<Hit> one, several;
  for (int p = 0; p < 8; ++p) {
    one.push_back({fmt::format("prompt {}", p), p < 6});
    for (int i = 0; i < 10; ++i) several.push_back({fmt::format("prompt {}", p), p < 6});  // pictures of one prompt all alike
  }
  const Share single = share_of_pictures(one), many = share_of_pictures(several);
  EXPECT_EQ(single.method, ShareMethod::wilson);
  EXPECT_EQ(many.method, ShareMethod::t_over_prompts);
  EXPECT_DOUBLE_EQ(many.share, 0.75);
  // Ten copies tell no more than one: the interval is not that of 80 pictures.
  const Interval of_eighty = wilson(60, 80);
  EXPECT_GT(many.interval->high - many.interval->low, 2 * (of_eighty.high - of_eighty.low));
  EXPECT_EQ(many.interval->high, 1);
  EXPECT_THAT(sentence(single), HasSubstr("75 %, 95 % from 41 % to 93 % (6 of 8 pictures, one a prompt, Wilson)"));

  for (auto& hit : several) hit.hit = true;
  const Share all = share_of_pictures(several);
  EXPECT_EQ(all.interval, std::nullopt);
  EXPECT_THAT(sentence(all), HasSubstr("100 % (80 of 80 pictures, 8 prompts); no interval"));
}

TEST(Statistics, PowerSaysWhenMorePromptsWouldNotDo) {
  // Trainings that go different ways: prompts agree, so they show what these LoRAs do and nothing of the recipe.
  const DifferenceTable apart = table(4, {1.0, -0.5, 0.1, 1.1, -0.6, 0.0, 1.05, -0.45, 0.15, 0.95, -0.5, 0.05});
  const Power made = power_of_loras_made_this_way(apart);
  EXPECT_EQ(made.prompts_needed, std::nullopt);
  ASSERT_TRUE(made.trainings_needed.has_value());
  EXPECT_GT(*made.trainings_needed, 10u);
  EXPECT_THAT(sentence(made), HasSubstr("no number of prompts has 80 % power"));
  EXPECT_THAT(sentence(made), HasSubstr(fmt::format("with 4 prompts as here it takes {} trainings", *made.trainings_needed)));
  // The number it names does: a table of so many trainings with the same spread has the power.
  EXPECT_LE(power_over_prompts(apart.per_prompt(), Claim::these_loras).prompts_needed.value(), 4u);

  const Power none = power_over_prompts(std::vector<double>{1, -1, 2, -2}, Claim::these_loras);
  EXPECT_EQ(none.prompts_needed, std::nullopt);
  EXPECT_THAT(sentence(none), HasSubstr("the mean difference is 0"));
  EXPECT_THAT(sentence(power_over_prompts(std::vector<double>{0, 0}, Claim::these_loras)),
              HasSubstr("no power to compute, no prompt differs"));
  EXPECT_THAT(sentence(power_of_loras_made_this_way(table(2, {1, 2}))), HasSubstr("no power to compute, one training"));
  // A difference of a millionth of the spread.
  EXPECT_EQ(power_over_prompts(std::vector<double>{1, -1, 2, -1.5}, Claim::these_loras, {.effect = 1e-6}).prompts_needed,
            std::nullopt);
  // One of a million times the spread, and spreads next to nothing, are no trouble either.
  EXPECT_EQ(power_over_prompts(std::vector<double>{1, 1.000001, 1, 1}, Claim::these_loras).prompts_needed, 2u);
}

TEST(Statistics, NumbersInSentencesHaveTheDigitsTheirIntervalAllows) {
  Estimate estimate{.claim = Claim::these_loras,
                    .prompts = 12,
                    .trainings = 1,
                    .mean = 0.00423456,
                    .inference = t_inference(0.00423456, 0.0011, 11, 0.95)};
  EXPECT_EQ(sentence(estimate),
            "for this LoRA, on prompts like these: +0.0042, 95 % from +0.0018 to +0.0067 (12 prompts, t interval, p = 0.0027)");
  estimate.mean = 1234.5;
  estimate.inference = t_inference(1234.5, 400, 11, 0.95);
  EXPECT_THAT(sentence(estimate), HasSubstr(": +1234, 95 % from +354 to +2115 "));
  estimate.mean = -1e-9;
  estimate.inference = t_inference(-1e-9, 0.1, 11, 0.95);
  EXPECT_THAT(sentence(estimate), HasSubstr(": 0.00, 95 % from -0.22 to +0.22 "));
}

}  // namespace negativa
