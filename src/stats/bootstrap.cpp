#include "stats/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/split_mix.h"
#include "stats/words.h"

namespace negativa {

namespace {

void check_pictures(std::span<const size_t> pictures_of_prompt) {
  check(!pictures_of_prompt.empty(), ErrorKind::input, "[statistics] got no prompt to draw again, expected at least one");
  const auto empty = std::find(pictures_of_prompt.begin(), pictures_of_prompt.end(), size_t{0});
  check(empty == pictures_of_prompt.end(), ErrorKind::input, "[statistics] prompt {} of {} has no picture, expected at least one",
        empty - pictures_of_prompt.begin() + 1, pictures_of_prompt.size());
}

// Output `number` of a splitmix64 seeded with `seed`: its state grows by the same odd number at each step.
uint64_t output(uint64_t seed, uint64_t number) { return SplitMix(seed + number * SplitMix::step).next(); }

double checked(double value) {
  check(std::isfinite(value), ErrorKind::input, "[statistics] a resample's statistic is {}, expected a finite number", value);
  return value;
}

}  // namespace

double percentile(std::span<const double> ascending, double share) {
  const double place = share * static_cast<double>(ascending.size() - 1);
  const size_t below = static_cast<size_t>(place), above = std::min(below + 1, ascending.size() - 1);
  return ascending[below] + (ascending[above] - ascending[below]) * (place - static_cast<double>(below));
}

std::vector<size_t> resample(std::span<const size_t> pictures_of_prompt, uint64_t seed, uint64_t number) {
  check_pictures(pictures_of_prompt);
  std::vector<size_t> begins(pictures_of_prompt.size()), drawn;
  std::exclusive_scan(pictures_of_prompt.begin(), pictures_of_prompt.end(), begins.begin(), size_t{0});
  drawn.reserve(begins.back() + pictures_of_prompt.back());
  SplitMix random(output(seed, number));
  for (size_t i = 0; i < begins.size(); ++i) {
    const size_t prompt = random.below(begins.size());
    for (size_t j = 0; j < pictures_of_prompt[prompt]; ++j)
      drawn.push_back(begins[prompt] + random.below(pictures_of_prompt[prompt]));
  }
  return drawn;
}

BootstrapResult bootstrap(std::span<const size_t> pictures_of_prompt, const Statistic& statistic,
                          const BootstrapOptions& options) {
  check_between_0_and_1(options.level, "level");
  check_pictures(pictures_of_prompt);
  check(options.resamples >= 100, ErrorKind::input, "[statistics] got {} resamples, expected at least 100", options.resamples);
  std::vector<size_t> all(std::accumulate(pictures_of_prompt.begin(), pictures_of_prompt.end(), size_t{0}));
  std::iota(all.begin(), all.end(), size_t{0});
  const auto value = statistic(all);
  check(value.has_value(), ErrorKind::input, "[statistics] the statistic has no value for all {}, expected one",
        count_text(all.size(), "picture"));
  BootstrapResult result{
      .value = checked(*value), .prompts = pictures_of_prompt.size(), .pictures = all.size(), .resamples = options.resamples};
  if (result.prompts < 2) {
    result.why_absent = "one prompt has no spread, an interval needs at least 2";
    return result;
  }
  std::vector<double> values;
  for (size_t i = 0; i < options.resamples; ++i) {
    if (const auto drawn = statistic(resample(pictures_of_prompt, options.seed, i))) values.push_back(checked(*drawn));
  }
  result.left_out = options.resamples - values.size();
  if (result.left_out * 100 > options.resamples) {
    result.why_absent =
        fmt::format("not computable from {} of {} resamples, too few prompts", result.left_out, options.resamples);
  } else if (all_alike(values)) {
    result.why_absent = "all resamples have the same value";
  } else {
    std::sort(values.begin(), values.end());
    result.interval = {percentile(values, (1 - options.level) / 2), percentile(values, (1 + options.level) / 2), options.level};
  }
  return result;
}

std::string sentence(const BootstrapResult& result) {
  if (!result.interval)
    return fmt::format("{}; no interval: {}", number_text(result.value, decimals_for(std::abs(result.value) / 10)),
                       result.why_absent);
  const int decimals = decimals_for((result.interval->high - result.interval->low) / 2);
  return fmt::format("{}, {} from {} to {} ({} of {} and their pictures, percentiles)", number_text(result.value, decimals),
                     percent_text(result.interval->level), number_text(result.interval->low, decimals),
                     number_text(result.interval->high, decimals), count_text(result.resamples, "resample"),
                     count_text(result.prompts, "prompt"));
}

}  // namespace negativa
