#pragma once
// How far a run has come, and its measurements as a table.
#include "runs/run_store.h"

namespace negativa {

// metrics.csv: a line a measured picture: arm, training, prompt, group, replicate, seed, picture, then the metrics. In the plan's
// order; the same records give the same bytes.
void write_metrics_csv(const RunStore& store, const RunPlan& plan);

struct StageStatus {
  CellStage stage;
  size_t whole = 0, damaged = 0, missing = 0;
};
struct ArmStatus {
  std::string arm;
  size_t drawn = 0, measured = 0, planned = 0;
};
struct RunStatus {
  std::string name;
  std::vector<StageStatus> stages;
  std::vector<ArmStatus> arms;
  std::vector<std::string> damaged;  // one line each
  std::vector<std::string> orphans;
  double seconds_spent = 0;            // of cells that are there
  std::optional<double> seconds_left;  // at the speed of those, on one machine; absent: nothing of a stage that is left was made
  bool finished() const;
};
RunStatus run_status(const RunStore& store);

}  // namespace negativa
