#pragma once
// An experiment from its TOML to its run folder: does what is missing, wherever it was stopped, beside others that do the same.
#include "experiment/plan.h"
#include "runs/run_store.h"

namespace negativa {

struct ExperimentRun {
  const ExperimentFile& file;
  std::filesystem::path folder;  // the run's
  Shard shard;
  bool update = false;  // a TOML that differs from the frozen plan takes its place
};

struct StageCount {
  CellStage stage;
  size_t made = 0, there = 0, left = 0;  // left: to other processes, or waiting for what they make
};
struct ExperimentResult {
  RunPlan plan;
  std::vector<StageCount> stages;
  size_t test_runs = 0;  // of this plan and others, as test_runs.jsonl counts them; 0: no test prompts
  double seconds = 0;
  bool is_whole = false;  // every cell is there
};

// Throws ErrorKind::input for a TOML that is not the frozen one's (naming the line), whatever the makers throw, cancelled. What
// is made stays.
ExperimentResult run_experiment(Engine& engine, const ExperimentRun& run, const Caller& caller);

// The plan as run_experiment would follow it, without making anything; folder absent: no earlier plan.
ExperimentPlan planned(Engine& engine, const ExperimentRun& run, const Caller& caller);

}  // namespace negativa
