#pragma once
// The whole analysis of one metric for two arms of an experiment.
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stats/estimate.h"
#include "stats/paired.h"
#include "stats/wilcoxon.h"

namespace negativa {

// Two lines that say which they are, and what goes with the first: Wilcoxon's test and the signs are "for these LoRAs" too, since
// they look at prompts alone.
struct ArmComparison {
  DifferenceTable table;  // arm - baseline
  Estimate these;         // claims these_loras; these_sets where neither arm has a training
  std::optional<Estimate> made_this_way =
      {};             // claims loras_made_this_way, absent inference for one training; nothing where there is none
  Wilcoxon wilcoxon;  // of the prompts' means over trainings
  Signs signs;
};

// level: of the intervals; simultaneous_level(...) for a family's plot. Throws what paired_differences throws. Thread safe.
ArmComparison compare_arms(std::span<const Measurement> baseline, std::span<const Measurement> arm, double level = 0.95);

// The sentences of all that is there, in the order of the struct.
std::vector<std::string> sentences(const ArmComparison& comparison);

}  // namespace negativa
