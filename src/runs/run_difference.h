#pragma once
// Whether two runs of an experiment are equal.
#include "runs/run_store.h"

namespace negativa {

// experiment diff: pictures, LoRAs and metrics byte for byte; times, hardware and the program's version are exempt.
struct RunDifference {
  // What differs, first things first: plans, then cells in the order of stages, so that a LoRA comes before the pictures that
  // differ because of it. Of each of the two the first `most_lines`, then how many more there are.
  static constexpr size_t most_lines = 20;
  std::vector<std::string> lines;
  // Cells, known by their addresses; those that share a file count once. In one run alone: whole there, and in the other not
  // planned, missing or damaged. Missing: whole in neither.
  size_t same = 0, different = 0, only_first = 0, only_second = 0, missing = 0;
  // Of cells alone: plans that differ in words only, such as their names, still give equal runs.
  bool equal() const { return different + only_first + only_second + missing == 0; }
};
// Reads every file of both runs. Throws ErrorKind::input for a run that was not begun or a file without permission, cancelled.
RunDifference compare_runs(const RunStore& first, const RunStore& second, const CancelToken& cancel);

}  // namespace negativa
