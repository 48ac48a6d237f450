#pragma once
// Whether two runs of an experiment are equal.
#include "runs/run_store.h"

namespace negativa {

// experiment diff: pictures, LoRAs and metrics byte for byte; times and hardware are exempt.
struct RunDifference {
  std::vector<std::string> lines;  // what differs, first things first: plans, then cells in the order of stages
  size_t same = 0, different = 0, only_first = 0, only_second = 0, missing = 0;  // cells
  bool equal() const { return different + only_first + only_second + missing == 0; }
};
RunDifference compare_runs(const RunStore& first, const RunStore& second, const CancelToken& cancel);

}  // namespace negativa
