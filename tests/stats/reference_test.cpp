// Numbers of scipy, statsmodels and NumPy: tests/golden/stats.json, made by tools/goldens_stats.py.
#include <gtest/gtest.h>

#include <cmath>

#include "base/json.h"
#include "stats/bootstrap.h"
#include "stats/distributions.h"
#include "stats/families.h"
#include "stats/power.h"
#include "stats/shares.h"
#include "stats/two_way.h"
#include "stats/wilcoxon.h"

namespace negativa {

namespace {

const Json& golden(const std::string& key) {
  static const Json all = read_json_file(std::filesystem::path(NEGATIVA_SOURCE_DIR) / "tests/golden/stats.json");
  const Json& rows = get_list(all, key, "stats.json");
  EXPECT_FALSE(rows.empty());
  return rows;
}

std::vector<double> list(const Json& row, const std::string& key) { return row.at(key).get<std::vector<double>>(); }

void expect_same(double got, const Json& row, const std::string& key, double within = 1e-10) {
  const double expected = row.at(key).get<double>();
  EXPECT_NEAR(got, expected, within * std::max(1.0, std::abs(expected))) << key << " of " << row.dump().substr(0, 200);
}

void expect_same(const std::optional<Inference>& got, const Json& row) {
  ASSERT_TRUE(got.has_value()) << row.dump();
  expect_same(got->interval.low, row, "low");
  expect_same(got->interval.high, row, "high");
  expect_same(got->p_value, row, "p");
}

DifferenceTable table_of(const Json& row) {
  DifferenceTable table;
  table.values = list(row, "table");
  for (int t = 0; t < row.at("trainings").get<int>(); ++t) table.trainings.push_back(t);
  for (size_t p = 0; p < table.values.size() / table.columns(); ++p) table.prompts.push_back(std::to_string(p));
  return table;
}

std::optional<size_t> number_or_none(const Json& value) {
  if (value.is_null()) return std::nullopt;
  return value.get<size_t>();
}

}  // namespace

TEST(Statistics, WilcoxonIsScipys) {
  for (const auto& row : golden("wilcoxon")) {
    const Wilcoxon test = wilcoxon(list(row, "differences"));
    const bool exact = row.at("method") == "exact";
    EXPECT_EQ(test.method, exact ? WilcoxonMethod::exact : WilcoxonMethod::normal) << row.dump();
    expect_same(std::min(test.rank_sum_positive, test.rank_sum_negative), row, "statistic");
    ASSERT_TRUE(test.p_value.has_value());
    expect_same(*test.p_value, row, "p");
  }
}

TEST(Statistics, WilsonAndHolmAreThoseOfStatsmodels) {
  for (const auto& row : golden("wilson")) {
    const Interval interval =
        wilson(row.at("hits").get<size_t>(), row.at("pictures").get<size_t>(), row.at("level").get<double>());
    expect_same(interval.low, row, "low");
    expect_same(interval.high, row, "high");
  }
  for (const auto& row : golden("holm")) {
    const std::vector<double> p = list(row, "p"), expected = list(row, "adjusted");
    const auto adjusted = holm(std::vector<std::optional<double>>(p.begin(), p.end()));
    ASSERT_EQ(adjusted.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(adjusted[i].value(), expected[i], 1e-12);
  }
}

TEST(Statistics, TAndWelchIntervalsAreScipys) {
  for (const auto& row : golden("t"))
    expect_same(mean_over_prompts(list(row, "values"), Claim::these_loras, true, row.at("level").get<double>()).inference, row);
  for (const auto& row : golden("welch")) {
    const Estimate estimate = welch_difference(list(row, "first"), list(row, "second"));
    expect_same(estimate.inference, row);
    expect_same(estimate.inference->degrees_of_freedom, row, "df");
  }
}

TEST(Statistics, TwoWayIntervalFollowsItsFormulas) {
  for (const auto& row : golden("two_way")) {
    const DifferenceTable table = table_of(row);
    const TwoWay squares = two_way(table);
    expect_same(squares.ms_prompts, row, "ms_prompts");
    expect_same(squares.ms_trainings, row, "ms_trainings");
    expect_same(squares.ms_interaction, row, "ms_interaction");
    const Estimate estimate = loras_made_this_way(table);
    expect_same(estimate.inference, row);
    expect_same(estimate.mean, row, "mean");
    expect_same(estimate.inference->standard_error, row, "standard_error");
    expect_same(estimate.inference->degrees_of_freedom, row, "df");
  }
}

TEST(Statistics, PowerOfTheTTestIsScipysAndStatsmodels) {
  for (const auto& row : golden("t_test_power"))
    expect_same(t_test_power(row.at("noncentrality").get<double>(), row.at("df").get<double>(), row.at("alpha").get<double>()),
                row, "power", 1e-8);
  for (const auto& row : golden("power")) {
    const std::vector<double> values = list(row, "values");
    const Power power = power_over_prompts(values, Claim::these_loras);
    EXPECT_EQ(power.prompts_needed, row.at("prompts").get<size_t>());
    // What the prompts at hand show is what would take just as many as are at hand.
    ASSERT_TRUE(power.detectable.has_value());
    EXPECT_EQ(power_over_prompts(values, Claim::these_loras, {.effect = *power.detectable}).prompts_needed, values.size());
  }
}

TEST(Statistics, PromptsAndTrainingsNeededAreThoseThatTryingAllFinds) {
  for (const auto& row : golden("power_of_trainings")) {
    const Power power = power_of_loras_made_this_way(table_of(row), {.effect = row.at("effect").get<double>()});
    EXPECT_EQ(power.prompts_needed, number_or_none(row.at("prompts_needed"))) << row.dump();
    EXPECT_EQ(power.trainings_needed, number_or_none(row.at("trainings_needed"))) << row.dump();
    EXPECT_EQ(power.prompts_with_them, number_or_none(row.at("prompts_with_them"))) << row.dump();
  }
}

TEST(Statistics, LowestCoverageWithFewTrainingsIsThatOfTheFormula) {
  for (const auto& row : golden("coverage"))
    expect_same(advice_on_trainings(row.at("trainings").get<size_t>()).lowest_coverage, row, "lowest", 1e-9);
  EXPECT_EQ(advice_on_trainings(3).enough, 5u);
  EXPECT_EQ(advice_on_trainings(5).enough, 5u);
  EXPECT_GT(advice_on_trainings(3, 0.995).enough, 5u);
}

TEST(Statistics, BootstrapDrawsTheDocumentedStreamAndTakesNumPysPercentiles) {
  for (const auto& row : golden("bootstrap")) {
    const auto counts = row.at("pictures_of_prompt").get<std::vector<size_t>>();
    const std::vector<double> values = list(row, "values");
    const uint64_t seed = row.at("seed").get<uint64_t>();
    const size_t resamples = row.at("resamples").get<size_t>();
    EXPECT_EQ(resample(counts, seed, 0), row.at("first").get<std::vector<size_t>>());
    EXPECT_EQ(resample(counts, seed, resamples - 1), row.at("last").get<std::vector<size_t>>());
    const auto mean = [&](std::span<const size_t> pictures) -> std::optional<double> {
      double sum = 0;
      for (const size_t i : pictures) sum += values[i];
      return sum / static_cast<double>(pictures.size());
    };
    const auto result = bootstrap(counts, mean, {seed, resamples, row.at("level").get<double>()});
    ASSERT_TRUE(result.interval.has_value());
    expect_same(result.interval->low, row, "low");
    expect_same(result.interval->high, row, "high");
  }
}

}  // namespace negativa
