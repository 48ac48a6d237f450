#pragma once
// Tests of the prompts' differences that ask for no normal distribution.
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "stats/estimate.h"

namespace negativa {

enum class WilcoxonMethod {
  exact,   // all 2^n signs counted: n <= 25 without ties
  normal,  // normal approximation, variance corrected for ties, no continuity correction
};

// Wilcoxon's signed-rank test, two-sided, on one difference a prompt: scipy.stats.wilcoxon(zero_method="wilcox",
// correction=False), method "exact" or "asymptotic". Claims these_loras (or these_sets): that the prompts' differences are not
// symmetric about 0. Under skew it can reject although the mean is 0: it tests symmetry, not the mean, and nothing about other
// trainings.
struct Wilcoxon {
  Claim claim = Claim::these_loras;
  size_t prompts = 0;  // that differ: n
  size_t zeros = 0;    // dropped
  double rank_sum_positive = 0, rank_sum_negative = 0;
  WilcoxonMethod method = WilcoxonMethod::exact;
  std::optional<double> p_value = {};
  std::string why_absent = {};  // no prompt differs
};

// Zero and tied are differences that are so up to rounding: 1e-12 of the largest, of each other. Throws ErrorKind::input for
// nothing, NaN and infinity. Safe from several threads.
Wilcoxon wilcoxon(std::span<const double> differences, Claim claim = Claim::these_loras);

// How many prompts went up, stayed, went down. Claims nothing but these prompts.
struct Signs {
  size_t positive = 0, zero = 0, negative = 0;
};

Signs signs(std::span<const double> differences);

// "for these LoRAs: Wilcoxon p = 0.012 (exact, 24 prompts that differ, 1 that does not; tests symmetry about 0, not the mean)"
std::string sentence(const Wilcoxon& test);
std::string sentence(const Signs& counts);  // "30 of 48 prompts up, 2 the same, 16 down"

}  // namespace negativa
