#pragma once
// What people, or a judge, say of pairs of pictures of two arms: how often one wins, how strong each arm is, how far raters
// agree. Pure functions, safe from several threads; errors and absent values as in estimate.h.
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stats/bootstrap.h"

namespace negativa {

enum class Preferred { first, second, tie };

// One rater's answer to one pair. Answers of several raters to a pair are averaged before anything else is done.
struct Judgement {
  std::string first, second;  // arms
  std::string prompt;
  std::string pair;  // the same for all answers to the same two pictures
  Preferred preferred = Preferred::tie;
};

enum class WinRateMethod { wilson, bootstrap };

// Claims these_sets: how often a picture of the first arm is preferred, a tie counting half, every prompt with equal weight. One
// pair a prompt: Wilson's interval, which ties make a little too wide. Several: percentiles over prompts drawn anew.
struct WinRate {
  std::string first, second;
  double rate = 0;
  size_t prompts = 0, pairs = 0;
  double wins = 0, losses = 0, ties = 0;  // pairs; of several raters each has an equal share
  WinRateMethod method = WinRateMethod::wilson;
  std::optional<Interval> interval = {};
  std::string why_absent = {};
};

// Of those judgements that are of these two arms, whichever stands first. Throws ErrorKind::input where there is none.
WinRate win_rate(std::span<const Judgement> judgements, const std::string& first, const std::string& second,
                 const BootstrapOptions& options = {});

// "64 % of pairs, 95 % from 52 % to 75 % (40 pairs, one a prompt, Wilson; 22 won, 11 lost, 7 ties)"
std::string sentence(const WinRate& rate);

// The model of Bradley and Terry with ties as Davidson extended it (1970, "On extending the Bradley-Terry model to accommodate
// ties in paired comparison experiments", JASA 65): i is preferred to j with probability s_i / (s_i + s_j + v sqrt(s_i s_j)), and
// neither with v sqrt(s_i s_j) / (the same). Maximum likelihood by Newton's method.
struct Strength {
  std::string arm;
  double log_strength = 0;  // natural logarithm; the mean over arms is 0
  std::optional<Interval> interval = {};
  double pairs = 0;
};
struct Strengths {
  std::vector<Strength> arms;          // in order of their names
  std::optional<double> tie = {};      // Davidson's v; 0: there are no ties
  size_t left_out = 0, resamples = 0;  // resamples of prompts without a finite fit
  std::string why_absent = {};         // why there is no fit, or there are no intervals
};

// Intervals are percentiles over prompts drawn anew. Without a fit (an arm that always won, arms that were never compared, ties
// alone) there are arms without strengths and the reason.
Strengths davidson(std::span<const Judgement> judgements, const BootstrapOptions& options = {});

// Krippendorff's alpha for nominal values: 1 perfect agreement, 0 that of chance (Krippendorff 2011, "Computing Krippendorff's
// alpha-reliability"). units: the values that raters gave to each; units with fewer than two count for nothing. Absent: no unit
// has two, or there is only one value.
std::optional<double> krippendorff_alpha(std::span<const std::vector<int>> units);

// Spearman's rank correlation, ties by average ranks; its interval by percentiles over points drawn anew. Absent value: one of
// the two does not vary.
struct Correlation {
  size_t points = 0;
  std::optional<double> value = {};
  std::optional<Interval> interval = {};
  std::string why_absent = {};
};
Correlation spearman(std::span<const double> x, std::span<const double> y, const BootstrapOptions& options = {});

}  // namespace negativa
