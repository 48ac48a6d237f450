#pragma once
// What an experiment will take, before a weight is loaded.
#include "experiment/plan.h"
#include "runs/run_store.h"

namespace negativa {

struct StageForecast {
  CellStage stage;
  size_t cells = 0, there = 0;  // there: made by an earlier start
  double seconds = 0;           // of computing what is missing, on this machine alone
  int64_t bytes = 0;            // of files, about
};
struct ArmForecast {
  std::string arm;
  size_t pictures = 0;
  double seconds = 0;  // of what is missing
};
struct ExperimentForecast {
  std::string name;
  std::vector<StageForecast> stages;
  std::vector<ArmForecast> arms;  // in the order in which they are drawn
  double seconds = 0;
  int64_t bytes = 0;
  int64_t peak_bytes = 0, available_bytes = 0;  // of memory
  // What a limit leaves out, by arm: pictures that would not be drawn in that time. Only with a limit.
  std::vector<std::pair<std::string, size_t>> left_out;
};

// folder: of the run, for what is there already. limit_s: of --budget. Measures the machine's rate for a fifth of a second.
ExperimentForecast forecast_experiment(Engine& engine, const ExperimentPlan& plan, const std::filesystem::path& folder,
                                       std::optional<double> limit_s, const Caller& caller);

}  // namespace negativa
