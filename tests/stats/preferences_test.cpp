// What is said of pairs: numbers of SciPy, evalica, statsmodels and the package krippendorff (tests/golden/stats.json, made by
// tools/goldens_stats.py), what has no answer, and how often intervals hold the truth. CHECK_SIMULATIONS=4000 draws each cell so
// often and holds it to the narrower bounds.
#include "stats/preferences.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/json.h"
#include "base/split_mix.h"
#include "stats/shares.h"

namespace negativa {

namespace {

const Json& golden(const std::string& key) {
  static const Json all = read_json_file(std::filesystem::path(NEGATIVA_SOURCE_DIR) / "tests/golden/stats.json");
  return get_list(all, key, "stats.json");
}

Preferred preferred(const std::string& text) {
  return text == "first" ? Preferred::first : text == "second" ? Preferred::second : Preferred::tie;
}

Judgement judgement(const std::string& first, const std::string& second, Preferred preferred, int prompt, int pair = 0) {
  return {first, second, std::to_string(prompt), std::to_string(pair), preferred};
}

std::vector<Judgement> judgements_of(const Json& pairs) {
  std::vector<Judgement> list;
  for (const auto& row : pairs) {
    const auto arm = [&](int place) { return std::to_string(row[place].get<int>()); };
    list.push_back(judgement(arm(1), arm(2), preferred(row[3]), row[0], static_cast<int>(list.size())));
  }
  return list;
}

}  // namespace

TEST(Preferences, StrengthsAreScipysAndWithoutTiesEvalicas) {
  for (const auto& row : golden("davidson")) {
    const Strengths fit = davidson(judgements_of(row.at("pairs")), {.resamples = 100});
    ASSERT_EQ(fit.arms.size(), row.at("arms").get<size_t>());
    ASSERT_TRUE(fit.tie.has_value()) << fit.why_absent;
    EXPECT_NEAR(*fit.tie, row.at("tie").get<double>(), 1e-6);
    for (size_t arm = 0; arm < fit.arms.size(); ++arm) {
      EXPECT_NEAR(fit.arms[arm].log_strength, row.at("log_strengths")[arm].get<double>(), 1e-6) << arm;
      if (row.contains("evalica")) {
        EXPECT_NEAR(fit.arms[arm].log_strength, row.at("evalica")[arm].get<double>(), 1e-6) << arm;
      }
      ASSERT_TRUE(fit.arms[arm].interval.has_value()) << fit.why_absent;
      EXPECT_LT(fit.arms[arm].interval->low, fit.arms[arm].log_strength);
      EXPECT_GT(fit.arms[arm].interval->high, fit.arms[arm].log_strength);
    }
  }
}

TEST(Preferences, AgreementIsKrippendorffsCorrelationScipysAndWilsonStatsmodels) {
  for (const auto& row : golden("alpha")) {
    const auto alpha = krippendorff_alpha(row.at("units").get<std::vector<std::vector<int>>>());
    ASSERT_TRUE(alpha.has_value());
    EXPECT_NEAR(*alpha, row.at("alpha").get<double>(), 1e-10);
  }
  for (const auto& row : golden("spearman")) {
    const auto correlation =
        spearman(row.at("x").get<std::vector<double>>(), row.at("y").get<std::vector<double>>(), {.resamples = 200});
    ASSERT_TRUE(correlation.value.has_value());
    EXPECT_NEAR(*correlation.value, row.at("value").get<double>(), 1e-10);
  }
  for (const auto& row : golden("wilson_of_shares")) {
    const Interval interval = wilson_of_share(row.at("share"), row.at("pictures"));
    EXPECT_NEAR(interval.low, row.at("low").get<double>(), 1e-10);
    EXPECT_NEAR(interval.high, row.at("high").get<double>(), 1e-10);
  }
}

TEST(Preferences, OfSeveralRatersAreAveragedWithinAPairAndTiesCountHalf) {
  using enum Preferred;
  const std::vector<Judgement> list = {judgement("a", "b", first, 0), judgement("b", "a", first, 0),  // two raters who disagree
                                       judgement("b", "a", second, 1), judgement("a", "b", tie, 2),
                                       judgement("a", "c", second, 3)};
  const WinRate rate = win_rate(list, "a", "b");
  EXPECT_EQ(rate.pairs, 3u);
  EXPECT_EQ(rate.method, WinRateMethod::wilson);
  EXPECT_DOUBLE_EQ(rate.wins, 1.5);
  EXPECT_DOUBLE_EQ(rate.losses, 0.5);
  EXPECT_DOUBLE_EQ(rate.rate, (0.5 + 1 + 0.5) / 3);
  EXPECT_DOUBLE_EQ(win_rate(list, "b", "a").rate, 1 - rate.rate);
  EXPECT_EQ(sentence(rate), "67 % of pairs, 95 % from 21 % to 94 % (3 pairs, one a prompt, Wilson; 1.5 won, 0.5 lost, 1 tie)");

  const std::vector<Judgement> several = {judgement("a", "b", first, 0, 0), judgement("a", "b", first, 0, 1),
                                          judgement("a", "b", second, 1)};
  EXPECT_EQ(win_rate(several, "a", "b").method, WinRateMethod::bootstrap);
  EXPECT_DOUBLE_EQ(win_rate(several, "a", "b").rate, 0.5) << "every prompt with equal weight";
}

TEST(Preferences, WithoutAnAnswerSayWhy) {
  using enum Preferred;
  const std::vector<Judgement> always = {judgement("a", "b", first, 0), judgement("a", "b", first, 1)};
  EXPECT_EQ(davidson(always).why_absent,
            "some arms won, or lost, every pair against the others, or were never compared with them");
  EXPECT_FALSE(davidson(always).tie.has_value());
  const std::vector<Judgement> apart = {judgement("a", "b", first, 0), judgement("a", "b", second, 1),
                                        judgement("c", "d", first, 2), judgement("c", "d", second, 3)};
  EXPECT_FALSE(davidson(apart).tie.has_value());
  const std::vector<Judgement> ties = {judgement("a", "b", tie, 0)};
  EXPECT_EQ(davidson(ties).why_absent, "all pairs are ties");
  EXPECT_THROW(win_rate(ties, "a", "c"), Error);
  EXPECT_THROW(davidson({}), Error);
  const std::vector<Judgement> itself = {judgement("a", "a", first, 0)};
  EXPECT_THROW(davidson(itself), Error);
  EXPECT_FALSE(krippendorff_alpha(std::vector<std::vector<int>>{{1}, {2}}).has_value());
  EXPECT_FALSE(krippendorff_alpha(std::vector<std::vector<int>>{{1, 1}, {1, 1}}).has_value());
  EXPECT_EQ(spearman(std::vector{1.0, 1.0}, std::vector{1.0, 2.0}).why_absent, "one of the two is the same everywhere");
}

namespace {

// Of this many experiments, the share whose interval of the win rate holds the true one.
double coverage(double true_rate, bool several, size_t experiments) {
  constexpr size_t prompts = 40;
  constexpr double tie = 0.1;
  size_t held = 0;
  for (size_t number = 0; number < experiments; ++number) {
    SplitMix random(number * 1000003 + static_cast<uint64_t>(true_rate * 100) + several);
    const auto uniform = [&] { return (static_cast<double>(random.next() >> 11) + 0.5) * 0x1p-53; };
    std::vector<Judgement> list;
    for (size_t prompt = 0; prompt < prompts; ++prompt) {
      // Prompts differ: pairs of one are alike.
      const double rate = std::clamp(true_rate + (several ? 0.3 : 0.0) * (uniform() - 0.5), 0.0, 1.0);
      for (int pair = 0; pair < (several ? 3 : 1); ++pair) {
        const bool is_tie = uniform() < tie;
        // Of what is no tie the share won makes the whole come to `rate`, since ties count half.
        const double won = (rate - tie / 2) / (1 - tie);
        list.push_back(judgement("a", "b", is_tie ? Preferred::tie : (uniform() < won ? Preferred::first : Preferred::second),
                                 static_cast<int>(prompt), pair));
      }
    }
    const auto interval = win_rate(list, "a", "b", {.seed = number, .resamples = 400}).interval;
    held += interval && interval->low <= true_rate && true_rate <= interval->high;
  }
  return static_cast<double>(held) / static_cast<double>(experiments);
}

}  // namespace

TEST(Simulation, IntervalsOfWinRatesHoldTheTruth) {
  const char* asked = std::getenv("CHECK_SIMULATIONS");
  const size_t experiments = asked ? std::strtoul(asked, nullptr, 10) : 400;
  const double low = experiments >= 4000 ? 0.92 : 0.90, high = experiments >= 4000 ? 0.98 : 0.99;
  for (const double rate : {0.3, 0.4, 0.5, 0.6, 0.7})
    for (const bool several : {false, true}) {
      const double held = coverage(rate, several, experiments);
      EXPECT_GE(held, low) << rate << (several ? ", several pairs a prompt" : ", one pair a prompt");
      EXPECT_LE(held, high) << rate << (several ? ", several pairs a prompt" : ", one pair a prompt");
      RecordProperty(fmt::format("coverage_{}_{}", rate, several), fmt::format("{:.3f}", held));
    }
}

}  // namespace negativa
