#include "stats/two_way.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>
#include <vector>

#include "base/error.h"
#include "stats/distributions.h"
#include "stats/words.h"

namespace negativa {

namespace {

// Coverage where trainings make up `share` of the mean's variance and the rest is known (many prompts): the mean square of
// trainings is share x chi-squared(T-1) / (T-1), averaged over equal slices of its distribution.
double coverage(std::span<const double> chi_squared_over_df, double df, double share, double level) {
  double sum = 0;
  for (const double c : chi_squared_over_df) {
    const double variance = 1 - share + share * c, estimated_df = variance * variance / (share * share * c * c / df);
    sum += 2 * normal_cdf(t_quantile((1 + level) / 2, estimated_df) * std::sqrt(variance)) - 1;
  }
  return sum / static_cast<double>(chi_squared_over_df.size());
}

double lowest_coverage(size_t trainings, double level) {
  constexpr int slices = 50, shares = 50;
  const double df = static_cast<double>(trainings) - 1;
  std::vector<double> mean_squares;
  for (int i = 0; i < slices; ++i) mean_squares.push_back(chi_squared_quantile((i + 0.5) / slices, df) / df);
  double lowest = 1;
  for (int i = shares / 2; i <= shares; ++i)
    lowest = std::min(lowest, coverage(mean_squares, df, static_cast<double>(i) / shares, level));
  return lowest;
}

}  // namespace

TwoWay two_way(const DifferenceTable& table) {
  const size_t prompts = table.prompts.size(), trainings = table.columns();
  check(prompts >= 2 && trainings >= 2, ErrorKind::input, "[statistics] got a table of {} x {}, expected at least 2 x 2",
        count_text(prompts, "prompt"), count_text(trainings, "training"));
  const double P = static_cast<double>(prompts), T = static_cast<double>(trainings);
  std::vector<double> rows(prompts), columns(trainings);
  TwoWay result{prompts, trainings};
  for (size_t p = 0; p < prompts; ++p)
    for (size_t t = 0; t < trainings; ++t) rows[p] += table.at(p, t) / T, columns[t] += table.at(p, t) / P;
  for (const double row : rows) result.grand_mean += row / P;
  const auto squares_about_mean = [&](double sum, double value) {
    return sum + (value - result.grand_mean) * (value - result.grand_mean);
  };
  result.ms_prompts = T * std::accumulate(rows.begin(), rows.end(), 0.0, squares_about_mean) / (P - 1);
  result.ms_trainings = P * std::accumulate(columns.begin(), columns.end(), 0.0, squares_about_mean) / (T - 1);
  for (size_t p = 0; p < prompts; ++p) {
    for (size_t t = 0; t < trainings; ++t) {
      const double rest = table.at(p, t) - rows[p] - columns[t] + result.grand_mean;
      result.ms_interaction += rest * rest / ((P - 1) * (T - 1));
    }
  }
  return result;
}

Estimate loras_made_this_way(const DifferenceTable& table, double level) {
  check_between_0_and_1(level, "level");
  check(!table.values.empty(), ErrorKind::input, "[statistics] got no prompt, expected at least one with a value");
  check_finite(table.values, "difference");
  Estimate result{.claim = Claim::loras_made_this_way, .prompts = table.prompts.size(), .trainings = table.columns()};
  for (const double value : table.per_prompt()) result.mean += value / static_cast<double>(result.prompts);
  if (result.trainings < 2) {
    result.why_absent =
        "one training says nothing of how trainings differ; it takes several with other training seeds, 5 hold their level";
  } else if (result.prompts < 2) {
    result.why_absent = "one prompt has no spread, an interval needs at least 2";
  } else if (all_alike(table.values)) {
    result.why_absent = "all prompts and trainings have the same difference, no spread to judge it by";
  } else {
    const auto [prompts, trainings, mean, ms_p, ms_t, ms_e] = two_way(table);
    const double P = static_cast<double>(prompts), T = static_cast<double>(trainings), sum = std::max(ms_p + ms_t - ms_e, ms_e);
    const double df = sum * sum / (ms_p * ms_p / (P - 1) + ms_t * ms_t / (T - 1) + ms_e * ms_e / ((P - 1) * (T - 1)));
    result.inference = t_inference(mean, std::sqrt(sum / (P * T)), std::max(df, std::min(P, T) - 1), level);
    result.mean = mean;
  }
  return result;
}

namespace {

TrainingsAdvice computed_advice(size_t trainings, double level) {
  TrainingsAdvice advice{trainings, level, lowest_coverage(trainings, level)};
  for (size_t enough = 2; enough <= 30 && advice.enough == 0; ++enough) {
    const double lowest = enough == trainings ? advice.lowest_coverage : lowest_coverage(enough, level);
    if (1 - lowest <= 1.2 * (1 - level)) advice.enough = enough;
  }
  return advice;
}

}  // namespace

// A report asks for the same few many hundred times.
TrainingsAdvice advice_on_trainings(size_t trainings, double level) {
  check_between_0_and_1(level, "level");
  check(trainings >= 2, ErrorKind::input, "[statistics] got {}, expected at least 2", count_text(trainings, "training"));
  static std::mutex mutex;
  static std::map<std::pair<size_t, double>, TrainingsAdvice> known;
  const std::lock_guard lock(mutex);
  const auto found = known.find({trainings, level});
  return found != known.end() ? found->second
                              : known.emplace(std::pair{trainings, level}, computed_advice(trainings, level)).first->second;
}

std::string caution(const TrainingsAdvice& advice) {
  if (advice.enough != 0 && advice.trainings >= advice.enough) return "";
  const std::string cure =
      advice.enough == 0 ? ""
                         : fmt::format(", {} would hold {}", count_text(advice.enough, "training"), percent_text(advice.level));
  return fmt::format("; with {} such intervals may cover only {:.{}f} %{}", count_text(advice.trainings, "training"),
                     advice.lowest_coverage * 100, advice.level > 0.97 ? 1 : 0, cure);
}

}  // namespace negativa
