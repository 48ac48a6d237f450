#include "stats/estimate.h"

#include <cmath>
#include <numeric>

#include "base/error.h"
#include "stats/distributions.h"
#include "stats/two_way.h"
#include "stats/words.h"

namespace negativa {

namespace {

struct Moments {
  double mean = 0, variance = 0;  // variance: divided by n - 1; 0 for one value
};

Moments moments(std::span<const double> values) {
  const double n = static_cast<double>(values.size()), mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, values.size() > 1 ? squares / (n - 1) : 0};
}

std::string subject(const Estimate& estimate) {
  if (estimate.claim == Claim::loras_made_this_way) return "for LoRAs made this way, on prompts like these";
  if (estimate.claim == Claim::these_loras)
    return estimate.trainings > 1 ? "for these LoRAs, on prompts like these" : "for this LoRA, on prompts like these";
  return estimate.difference ? "for these sets, on prompts like these" : "for this set, on prompts like these";
}

std::string basis(const Estimate& estimate) {
  std::string text = count_text(estimate.prompts, "prompt");
  if (estimate.second_prompts > 0) return fmt::format("{} against {}", text, count_text(estimate.second_prompts, "prompt"));
  if (estimate.trainings > 1) text += fmt::format(" x {}", count_text(estimate.trainings, "training"));
  return text;
}

std::string method(const Estimate& estimate) {
  const double df = estimate.inference->degrees_of_freedom;
  if (estimate.claim == Claim::loras_made_this_way)
    return fmt::format("two-way random effects with {:.1f} degrees of freedom", df);
  return estimate.second_prompts > 0 ? fmt::format("unpaired, Welch's interval with {:.1f} degrees of freedom", df)
                                     : "t interval";
}

}  // namespace

Inference t_inference(double mean, double standard_error, double df, double level) {
  const double half = t_quantile((1 + level) / 2, df) * standard_error;
  return {standard_error, df, {mean - half, mean + half, level}, t_two_sided_p(mean / standard_error, df)};
}

Estimate mean_over_prompts(std::span<const double> per_prompt, Claim claim, bool difference, double level) {
  check_between_0_and_1(level, "level");
  check(!per_prompt.empty(), ErrorKind::input, "[statistics] got no prompt, expected at least one with a value");
  check_finite(per_prompt, difference ? "difference" : "value");
  Estimate result{.claim = claim, .difference = difference, .prompts = per_prompt.size()};
  const auto [mean, variance] = moments(per_prompt);
  result.mean = mean;
  if (per_prompt.size() < 2) {
    result.why_absent = "one prompt has no spread, an interval needs at least 2";
  } else if (all_alike(per_prompt)) {
    result.why_absent = difference && mean == 0 ? "no prompt differs"
                                                : fmt::format("all {} prompts have the same {}, no spread to judge it by",
                                                              per_prompt.size(), difference ? "difference" : "value");
  } else {
    const double n = static_cast<double>(per_prompt.size());
    result.inference = t_inference(mean, std::sqrt(variance / n), n - 1, level);
  }
  return result;
}

Estimate welch_difference(std::span<const double> first, std::span<const double> second, double level) {
  check_between_0_and_1(level, "level");
  check(!first.empty() && !second.empty(), ErrorKind::input, "[statistics] got {} and {} to compare, expected at least one each",
        count_text(first.size(), "prompt"), count_text(second.size(), "prompt"));
  check_finite(first, "value");
  check_finite(second, "value");
  Estimate result{.claim = Claim::these_sets, .prompts = first.size(), .second_prompts = second.size()};
  const Moments a = moments(first), b = moments(second);
  result.mean = b.mean - a.mean;
  if (first.size() < 2 || second.size() < 2) {
    result.why_absent = "one prompt has no spread, an unpaired interval needs at least 2 in each set";
  } else if (all_alike(first) && all_alike(second)) {
    result.why_absent = "no spread in either set to judge the difference by";
  } else {
    const double n = static_cast<double>(first.size()), m = static_cast<double>(second.size());
    const double va = a.variance / n, vb = b.variance / m;
    result.inference =
        t_inference(result.mean, std::sqrt(va + vb), (va + vb) * (va + vb) / (va * va / (n - 1) + vb * vb / (m - 1)), level);
  }
  return result;
}

std::string sentence(const Estimate& estimate) {
  const auto show = [&](double value, int decimals) {
    return estimate.difference ? signed_text(value, decimals) : number_text(value, decimals);
  };
  if (!estimate.inference) {
    if (estimate.claim == Claim::loras_made_this_way)
      return fmt::format("{}: not computable, {}", subject(estimate), estimate.why_absent);
    return fmt::format("{}: {} ({}); no interval: {}", subject(estimate),
                       show(estimate.mean, decimals_for(std::abs(estimate.mean) / 10)), basis(estimate), estimate.why_absent);
  }
  const Interval& interval = estimate.inference->interval;
  const int decimals = decimals_for((interval.high - interval.low) / 2);
  const std::string p = estimate.difference ? ", " + p_text(estimate.inference->p_value) : "";
  const std::string text = fmt::format("{}: {}, {} from {} to {} ({}, {}{})", subject(estimate), show(estimate.mean, decimals),
                                       percent_text(interval.level), show(interval.low, decimals), show(interval.high, decimals),
                                       basis(estimate), method(estimate), p);
  return estimate.claim == Claim::loras_made_this_way ? text + caution(advice_on_trainings(estimate.trainings, interval.level))
                                                      : text;
}

}  // namespace negativa
