#pragma once
// A training from its plan to its file, whatever it trains: run folder, memory, progress, previews, report.
#include "base/cancel.h"
#include "jobs/forecast.h"
#include "lora/training_metadata.h"

namespace negativa {

struct TrainReport {
  Path file, run_folder;
  bool was_finished = false;  // by an earlier run of the same settings: nothing was done
  int64_t steps = 0, resumed_from = 0;
  double last_loss = 0;
  std::optional<int64_t> best_step;
  double seconds = 0, step_seconds = 0;  // step_seconds: median
  uint64_t peak_memory_bytes = 0;
  std::string sha256;  // of the file, or of a folder's weights
};

struct TrainingRun {
  const TrainOptions& options;
  Recipe recipe;
  MemoryRequest memory;
  std::string config_toml;  // print_config's text, which goes into the run folder
  std::function<TrainingResult(RunFolder&, const TrainHooks&)> train;
  std::function<void(const TrainingResult&)> write;  // the trained file
};

TrainReport run_training(const TrainingRun& run, TrainHooks hooks);

// Progress and cancelling, as every training has them.
TrainHooks training_hooks(const CancelToken& cancel);

Path model_path(const TrainOptions& options);

// `settings`: the options' fields as JSON text, with all that was resolved; what decides no byte of the file is left out here.
Recipe training_recipe(const std::string& verb, const Training& training, const TrainOptions& options,
                       const std::string& settings, const CancelToken& cancel);

// What all kinds of training say of themselves in the file's header.
TrainingFacts training_facts(const Training& training, const TrainOptions& options, const Recipe& recipe, int64_t epochs);

// All of what --dry-run tells but the number of what is trained.
TrainingForecast forecast_training(const MemoryRequest& memory, const TrainOptions& options);

}  // namespace negativa
