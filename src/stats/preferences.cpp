#include "stats/preferences.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "stats/shares.h"
#include "stats/words.h"

namespace negativa {

namespace {

// A pair after its raters' answers were averaged.
struct Pair {
  double wins = 0, losses = 0, ties = 0;
  double answers() const { return wins + losses + ties; }
  double rate() const { return (wins + ties / 2) / answers(); }
};

using PairsOfPrompt = std::map<std::string, std::map<std::string, Pair>>;  // prompt, pair

PairsOfPrompt pairs_of(std::span<const Judgement> judgements, const std::string& first, const std::string& second) {
  PairsOfPrompt prompts;
  for (const auto& judgement : judgements) {
    const bool same = judgement.first == first && judgement.second == second;
    if (!same && !(judgement.first == second && judgement.second == first)) continue;
    Pair& pair = prompts[judgement.prompt][judgement.pair];
    if (judgement.preferred == Preferred::tie)
      ++pair.ties;
    else
      ++((judgement.preferred == Preferred::first) == same ? pair.wins : pair.losses);
  }
  return prompts;
}

}  // namespace

WinRate win_rate(std::span<const Judgement> judgements, const std::string& first, const std::string& second,
                 const BootstrapOptions& options) {
  const auto prompts = pairs_of(judgements, first, second);
  check(!prompts.empty(), ErrorKind::input, "[statistics] no pair of {} and {} was judged, expected at least one", first, second);
  WinRate result{.first = first, .second = second, .prompts = prompts.size()};
  std::vector<double> rates;
  for (const auto& [prompt, pairs] : prompts) {
    double sum = 0;
    for (const auto& [name, pair] : pairs) {
      ++result.pairs;
      result.wins += pair.wins / pair.answers();
      result.losses += pair.losses / pair.answers();
      result.ties += pair.ties / pair.answers();
      sum += pair.rate();
    }
    rates.push_back(sum / static_cast<double>(pairs.size()));
  }
  const auto mean_of = [&](std::span<const size_t> drawn) -> std::optional<double> {
    double sum = 0;
    for (const size_t prompt : drawn) sum += rates[prompt];
    return sum / static_cast<double>(drawn.size());
  };
  if (result.pairs == result.prompts) {
    result.rate = std::accumulate(rates.begin(), rates.end(), 0.0) / static_cast<double>(rates.size());
    result.interval = wilson_of_share(result.rate, rates.size(), options.level);
    return result;
  }
  result.method = WinRateMethod::bootstrap;
  const auto drawn = bootstrap(std::vector<size_t>(rates.size(), 1), mean_of, options);
  result.rate = drawn.value;
  result.interval = drawn.interval;
  result.why_absent = drawn.why_absent;
  return result;
}

std::string sentence(const WinRate& rate) {
  const auto number = [](double pairs) { return number_text(pairs, pairs == std::floor(pairs) ? 0 : 1); };
  const auto percent = [](double share) { return number_text(100 * share, 0) + " %"; };
  const std::string counts = fmt::format("{} won, {} lost, {} {}", number(rate.wins), number(rate.losses), number(rate.ties),
                                         rate.ties == 1 ? "tie" : "ties");
  if (!rate.interval) return fmt::format("{} of pairs; no interval: {} ({})", percent(rate.rate), rate.why_absent, counts);
  const std::string method = rate.method == WinRateMethod::wilson
                                 ? "one a prompt, Wilson"
                                 : fmt::format("of {}, percentiles over prompts", count_text(rate.prompts, "prompt"));
  return fmt::format("{} of pairs, {} from {} to {} ({}, {}; {})", percent(rate.rate), percent_text(rate.interval->level),
                     percent(rate.interval->low), percent(rate.interval->high), count_text(rate.pairs, "pair"), method, counts);
}

std::optional<double> krippendorff_alpha(std::span<const std::vector<int>> units) {
  std::map<int, double> values;  // how often each value stands in units with two or more
  double total = 0, disagreement = 0;
  for (const auto& unit : units) {
    if (unit.size() < 2) continue;
    std::map<int, double> counts;
    for (const int value : unit) ++counts[value];
    const double size = static_cast<double>(unit.size());
    for (const auto& [value, count] : counts) {
      values[value] += count;
      disagreement += count * (size - count) / (size - 1);
    }
    total += size;
  }
  double expected = 0;
  for (const auto& [value, count] : values) expected += count * (total - count);
  if (expected == 0) return {};
  return 1 - (total - 1) * disagreement / expected;
}

namespace {

std::vector<double> ranks_of(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = static_cast<double>(begin + end - 1) / 2;
  }
  return ranks;
}

std::optional<double> correlation_of(std::span<const double> x, std::span<const double> y) {
  const double n = static_cast<double>(x.size());
  const double mean_x = std::accumulate(x.begin(), x.end(), 0.0) / n, mean_y = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    yy += (y[i] - mean_y) * (y[i] - mean_y);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  if (xx == 0 || yy == 0) return {};
  return xy / std::sqrt(xx * yy);
}

}  // namespace

Correlation spearman(std::span<const double> x, std::span<const double> y, const BootstrapOptions& options) {
  check(!x.empty() && x.size() == y.size(), ErrorKind::input, "[statistics] got {} and {} numbers, expected as many of each",
        x.size(), y.size());
  const auto of = [&](std::span<const size_t> points) {
    std::vector<double> a, b;
    for (const size_t point : points) {
      a.push_back(x[point]);
      b.push_back(y[point]);
    }
    return correlation_of(ranks_of(a), ranks_of(b));
  };
  std::vector<size_t> all(x.size());
  std::iota(all.begin(), all.end(), size_t{0});
  Correlation result{.points = x.size(), .value = of(all)};
  if (!result.value) {
    result.why_absent = "one of the two is the same everywhere";
    return result;
  }
  const auto drawn = bootstrap(std::vector<size_t>(x.size(), 1), of, options);
  result.interval = drawn.interval;
  result.why_absent = drawn.why_absent;
  return result;
}

}  // namespace negativa
