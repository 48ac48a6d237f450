#include "stats/power.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "stats/distributions.h"
#include "stats/two_way.h"
#include "stats/words.h"

namespace negativa {

namespace {

constexpr size_t most_prompts = 1'000'000, most_trainings = 10'000, most_trainings_with_prompts = 1'000;

// Standard error and degrees of freedom that P prompts and T trainings would have.
struct Precision {
  double standard_error = 0, df = 0;
};
using Design = std::function<Precision(size_t prompts, size_t trainings)>;

double chance(const Precision& precision, double effect, double alpha) {
  // At 200 standard errors every test rejects that can; the noncentral t takes long beyond.
  return t_test_power(std::min(200.0, std::abs(effect) / precision.standard_error), precision.df, alpha);
}

// Smallest number from 2 on that is good. With few trainings goodness can end again when prompts become very many, so this walks
// up in steps of a tenth instead of trying the largest number first.
std::optional<size_t> smallest(size_t largest, const std::function<bool(size_t)>& good) {
  size_t bad = 1;
  for (size_t n = 2; n <= largest; n = std::max(n + 1, n * 11 / 10)) {
    if (!good(n)) {
      bad = n;
      continue;
    }
    while (n - bad > 1) {
      const size_t middle = bad + (n - bad) / 2;
      (good(middle) ? n : bad) = middle;
    }
    return n;
  }
  return std::nullopt;
}

std::optional<double> detectable(const Precision& precision, const PowerOptions& options) {
  double low = 0, high = 200 * precision.standard_error;
  if (chance(precision, high, options.alpha) < options.power) return std::nullopt;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (chance(precision, middle, options.alpha) < options.power ? low : high) = middle;
  }
  return high;
}

void plan(Power& result, const Design& design) {
  const auto& [effect, power, alpha] = result.options;
  const auto enough = [&](size_t prompts, size_t trainings) {
    return chance(design(prompts, trainings), *effect, alpha) >= power;
  };
  result.detectable = detectable(design(result.prompts, result.trainings), result.options);
  if (*effect == 0) return;
  const auto prompts_with = [&](size_t trainings) {
    return smallest(most_prompts, [&](size_t prompts) { return enough(prompts, trainings); });
  };
  result.prompts_needed = prompts_with(result.trainings);
  if (result.prompts_needed || result.claim != Claim::loras_made_this_way) return;
  result.trainings_needed = smallest(most_trainings, [&](size_t trainings) { return enough(result.prompts, trainings); });
  if (result.trainings_needed) return;
  result.trainings_needed =
      smallest(most_trainings_with_prompts, [&](size_t trainings) { return prompts_with(trainings).has_value(); });
  if (result.trainings_needed) result.prompts_with_them = prompts_with(*result.trainings_needed);
}

void check_options(const PowerOptions& options) {
  check_between_0_and_1(options.power, "power");
  check_between_0_and_1(options.alpha, "alpha");
  check(!options.effect || std::isfinite(*options.effect), ErrorKind::input,
        "[statistics] got a difference of {} to find, expected a finite number", options.effect.value_or(0));
}

std::string trainings_text(const Power& power, const std::string& amount) {
  if (!power.trainings_needed) return "; no number of trainings would do either";
  if (!power.prompts_with_them)
    return fmt::format("; with {} as here it takes {}", count_text(power.prompts, "prompt"),
                       count_text(*power.trainings_needed, "training"));
  return fmt::format("; no number of trainings shows {} with {}; it takes {} with {}", amount,
                     count_text(power.prompts, "prompt"), count_text(*power.trainings_needed, "training"),
                     count_text(*power.prompts_with_them, "prompt"));
}

}  // namespace

Power power_over_prompts(std::span<const double> per_prompt, Claim claim, const PowerOptions& options) {
  check_options(options);
  const Estimate estimate = mean_over_prompts(per_prompt, claim, true);
  Power result{.claim = claim, .options = options, .prompts = per_prompt.size(), .why_absent = estimate.why_absent};
  if (!result.options.effect) result.options.effect = estimate.mean;
  if (!estimate.inference) return result;
  const double spread = estimate.inference->standard_error * std::sqrt(static_cast<double>(per_prompt.size()));
  plan(result, [spread](size_t prompts, size_t) {
    const double n = static_cast<double>(prompts);
    return Precision{spread / std::sqrt(n), n - 1};
  });
  return result;
}

Power power_of_loras_made_this_way(const DifferenceTable& table, const PowerOptions& options) {
  check_options(options);
  const Estimate estimate = loras_made_this_way(table);
  Power result{.claim = estimate.claim,
               .options = options,
               .prompts = estimate.prompts,
               .trainings = estimate.trainings,
               .why_absent = estimate.why_absent};
  if (!result.options.effect) result.options.effect = estimate.mean;
  if (!estimate.inference) return result;
  const TwoWay squares = two_way(table);
  const double of_prompts = std::max(0.0, squares.ms_prompts - squares.ms_interaction) / static_cast<double>(squares.trainings);
  const double of_trainings = std::max(0.0, squares.ms_trainings - squares.ms_interaction) / static_cast<double>(squares.prompts);
  plan(result, [of_prompts, of_trainings, rest = squares.ms_interaction](size_t prompts, size_t trainings) {
    const double P = static_cast<double>(prompts), T = static_cast<double>(trainings);
    const double ms_p = rest + T * of_prompts, ms_t = rest + P * of_trainings, sum = ms_p + ms_t - rest;
    const double df = sum * sum / (ms_p * ms_p / (P - 1) + ms_t * ms_t / (T - 1) + rest * rest / ((P - 1) * (T - 1)));
    return Precision{std::sqrt(sum / (P * T)), std::max(df, std::min(P, T) - 1)};
  });
  return result;
}

std::string sentence(const Power& power) {
  const std::string subject = power.claim == Claim::loras_made_this_way ? "for LoRAs made this way"
                              : power.claim == Claim::these_sets        ? "for these sets"
                                                                        : "for these LoRAs";
  if (!power.why_absent.empty()) return fmt::format("{}: no power to compute, {}", subject, power.why_absent);
  const bool made = power.claim == Claim::loras_made_this_way;
  const std::string at_hand = count_text(power.prompts, "prompt") + (made ? " x " + count_text(power.trainings, "training") : ""),
                    chance = percent_text(power.options.power);
  const auto amount = [](double difference) { return number_text(std::abs(difference), decimals_for(std::abs(difference))); };
  const std::string shown = power.detectable ? fmt::format(" ({} as here show {})", at_hand, amount(*power.detectable)) : "";
  const std::string effect = amount(*power.options.effect);
  if (*power.options.effect == 0)
    return fmt::format("{}: the mean difference is 0, no number of prompts would show it{}", subject, shown);
  const std::string trainings = made ? fmt::format(" with {}", count_text(power.trainings, "training")) : "";
  if (power.prompts_needed)
    return fmt::format("{}: {} power for a difference of {} at this spread takes {}{}{}", subject, chance, effect,
                       count_text(*power.prompts_needed, "prompt"), trainings, shown);
  return fmt::format("{}: no number of prompts has {} power for a difference of {} at this spread{}{}{}", subject, chance, effect,
                     trainings, made ? trainings_text(power, effect) : "", shown);
}

}  // namespace negativa
