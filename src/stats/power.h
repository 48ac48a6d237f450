#pragma once
// How many prompts, and where prompts do not help how many trainings, it would take to see a difference at the spread that was
// seen.
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "stats/estimate.h"
#include "stats/paired.h"

namespace negativa {

struct PowerOptions {
  std::optional<double> effect =
      {};               // the true difference to be found, in the unit of the values; absent: as large as the mean seen
  double power = 0.8;   // chance of finding it
  double alpha = 0.05;  // size of the two-sided test; 1 - simultaneous_level(...) for a family
};

// Claims these_sets, these_loras: what the one-sample t test over prompts would need (noncentral t). Claims loras_made_this_way:
// the same for the two-way analysis, its variances estimated from the mean squares, negative ones taken as 0; a rough guide,
// since a variance from three trainings is a rough number.
struct Power {
  Claim claim = Claim::these_loras;
  PowerOptions options;                       // with effect filled in
  size_t prompts = 0, trainings = 0;          // at hand
  std::optional<double> detectable = {};      // least difference that those at hand show with that power
  std::optional<size_t> prompts_needed = {};  // with the trainings at hand; absent: no number up to a million would do
  // Only where no number of prompts would do: trainings with the prompts at hand; or, where no number up to 10,000 would do
  // either, the fewest trainings (up to 1,000) with which some number of prompts would.
  std::optional<size_t> trainings_needed = {};
  std::optional<size_t> prompts_with_them = {};  // prompts to go with trainings_needed, where those at hand are too few
  std::string why_absent = {};                   // why nothing could be computed
};

// From one difference a prompt. Throws ErrorKind::input for nothing, NaN, infinity, power or alpha outside (0, 1). Milliseconds;
// thread safe.
Power power_over_prompts(std::span<const double> per_prompt, Claim claim, const PowerOptions& options = {});
Power power_of_loras_made_this_way(const DifferenceTable& table, const PowerOptions& options = {});

// "for these LoRAs: 80 % power for a difference of 0.42 at this spread takes 31 prompts (48 prompts, as here, show 0.33)"; one
// line.
std::string sentence(const Power& power);

}  // namespace negativa
