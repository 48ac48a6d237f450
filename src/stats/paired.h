#pragma once
// Two arms of an experiment, paired: the table of differences that every comparison begins with.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace negativa {

// What a metric says of one picture.
struct Measurement {
  std::string prompt;
  std::optional<int64_t> training = {};  // which of the arm's trained LoRAs drew it; absent: no training in the arm
  uint64_t seed = 0;                     // of the picture's noise
  double value = 0;
};

// Differences arm - baseline in the unit of the values, each the mean over the noise seeds of one prompt and training. Claims
// nothing yet.
struct DifferenceTable {
  std::vector<std::string> prompts;  // P, in the arm's order
  std::vector<int64_t> trainings;    // T, ascending; empty: no training in either arm, one column
  std::vector<double> values;        // [P, columns()], finite

  size_t columns() const { return trainings.empty() ? 1 : trainings.size(); }
  double at(size_t prompt, size_t training) const { return values[prompt * columns() + training]; }
  std::vector<double> per_prompt() const;  // [P]: means over the trainings
};

// Pairs by prompt, training and noise seed. An arm without trainings stands against each training of the other; where both have
// trainings they must be the same numbers. Throws ErrorKind::input, in one line that names the first picture at fault, for NaN or
// infinity, a picture twice, arms that do not have the same pictures, a prompt whose trainings do not have the same seeds, and
// nothing at all. O(n log n) of the number of pictures; safe from several threads.
DifferenceTable paired_differences(std::span<const Measurement> baseline, std::span<const Measurement> arm);

}  // namespace negativa
