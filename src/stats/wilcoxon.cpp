#include "stats/wilcoxon.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "stats/distributions.h"
#include "stats/words.h"

namespace negativa {

namespace {

constexpr size_t exact_up_to = 25;
constexpr double rounding = 1e-12;

double zero_below(std::span<const double> differences) {
  double largest = 0;
  for (const double difference : differences) largest = std::max(largest, std::abs(difference));
  return largest * rounding;
}

void check_differences(std::span<const double> differences) {
  check(!differences.empty(), ErrorKind::input, "[statistics] got no prompt, expected at least one with a difference");
  check_finite(differences, "difference");
}

// Chance of a sum of ranks of at most `sum` where each of the ranks 1 to n counts with probability 1/2.
double chance_of_at_most(size_t n, size_t sum) {
  std::vector<double> ways(n * (n + 1) / 2 + 1);  // below 2^25: exact in a double
  ways[0] = 1;
  size_t largest = 0;
  for (size_t rank = 1; rank <= n; ++rank) {
    largest += rank;
    for (size_t s = largest; s >= rank; --s) ways[s] += ways[s - rank];
  }
  double count = 0;
  for (size_t s = 0; s <= sum; ++s) count += ways[s];
  return std::ldexp(count, -static_cast<int>(n));
}

// Adds up ranks by sign, ties sharing the mean of theirs; the sum of t^3 - t over groups of t ties.
double rank_sums(std::vector<double>& differences, Wilcoxon& result) {
  std::sort(differences.begin(), differences.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  double ties = 0;
  for (size_t begin = 0, end = 0; begin < differences.size(); begin = end) {
    const double magnitude = std::abs(differences[begin]);
    while (end < differences.size() && std::abs(differences[end]) - magnitude <= rounding * magnitude) ++end;
    const double tied = static_cast<double>(end - begin), rank = static_cast<double>(begin + end + 1) / 2;
    for (size_t i = begin; i < end; ++i) (differences[i] > 0 ? result.rank_sum_positive : result.rank_sum_negative) += rank;
    ties += tied * tied * tied - tied;
  }
  return ties;
}

}  // namespace

Wilcoxon wilcoxon(std::span<const double> differences, Claim claim) {
  check_differences(differences);
  Wilcoxon result{.claim = claim};
  std::vector<double> nonzero;
  const double below = zero_below(differences);
  std::copy_if(differences.begin(), differences.end(), std::back_inserter(nonzero),
               [&](double d) { return std::abs(d) > below; });
  result.prompts = nonzero.size();
  result.zeros = differences.size() - nonzero.size();
  if (nonzero.empty()) {
    result.why_absent = "no prompt differs";
    return result;
  }
  const double ties = rank_sums(nonzero, result), n = static_cast<double>(nonzero.size());
  if (nonzero.size() <= exact_up_to && ties == 0) {
    const double least = std::min(result.rank_sum_positive, result.rank_sum_negative);
    result.p_value = std::min(1.0, 2 * chance_of_at_most(nonzero.size(), static_cast<size_t>(least)));
  } else {
    result.method = WilcoxonMethod::normal;
    const double variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48;
    result.p_value = normal_two_sided_p((result.rank_sum_positive - n * (n + 1) / 4) / std::sqrt(variance));
  }
  return result;
}

Signs signs(std::span<const double> differences) {
  check_differences(differences);
  const double below = zero_below(differences);
  Signs counts;
  for (const double d : differences) ++(std::abs(d) <= below ? counts.zero : d > 0 ? counts.positive : counts.negative);
  return counts;
}

std::string sentence(const Wilcoxon& test) {
  const std::string_view subject = test.claim == Claim::these_sets ? "for these sets" : "for these LoRAs";
  if (!test.p_value) return fmt::format("{}: no Wilcoxon test, {}", subject, test.why_absent);
  const std::string zeros = test.zeros == 0 ? "" : fmt::format(", {} that {} not", test.zeros, test.zeros == 1 ? "does" : "do");
  return fmt::format("{}: Wilcoxon {} ({}, {} that {}{}; tests symmetry about 0, not the mean)", subject, p_text(*test.p_value),
                     test.method == WilcoxonMethod::exact ? "exact" : "normal approximation", count_text(test.prompts, "prompt"),
                     test.prompts == 1 ? "differs" : "differ", zeros);
}

std::string sentence(const Signs& counts) {
  return fmt::format("{} of {} up, {} the same, {} down", counts.positive,
                     count_text(counts.positive + counts.zero + counts.negative, "prompt"), counts.zero, counts.negative);
}

}  // namespace negativa
