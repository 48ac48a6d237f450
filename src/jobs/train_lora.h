#pragma once
// `negativa train lora`: a folder of pictures becomes a LoRA file, with a run folder beside it that survives every kind of stop.
#include "jobs/training_run.h"
#include "train/lora_trainer.h"

namespace negativa {

TrainReport train_lora(const TrainLoraOptions& options, const std::string& config_toml, const CancelToken& cancel);

// What --dry-run tells. Throws as train_lora does, without training.
TrainingForecast forecast_train_lora(const TrainLoraOptions& options);

}  // namespace negativa
