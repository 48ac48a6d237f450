#pragma once
// `negativa train lora`: a folder of pictures becomes a LoRA file, with a run folder beside it that survives every kind of stop.
#include "jobs/forecast.h"
#include "train/training_run.h"

namespace negativa {

struct TrainLoraRequest {
  TrainLoraOptions options;
  std::string config_toml = {};  // print_config's text, which goes into the run folder
};

TrainReport train_lora(Engine& engine, const TrainLoraRequest& request, EventSink& events, const CancelToken& cancel);

// What --dry-run tells.
TrainingForecast forecast_train_lora(Engine& engine, const TrainLoraOptions& options, EventSink& events,
                                     const CancelToken& cancel);

}  // namespace negativa
