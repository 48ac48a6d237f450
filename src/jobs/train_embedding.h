#pragma once
// `negativa train embedding`: a folder of pictures becomes a word of the prompt, a file with its vectors for both encoders.
#include "jobs/training_run.h"
#include "train/embedding_trainer.h"

namespace negativa {

TrainReport train_embedding(const TrainEmbeddingOptions& options, const std::string& config_toml, const CancelToken& cancel);

// What --dry-run tells. Throws as train_embedding does, without training.
TrainingForecast forecast_train_embedding(const TrainEmbeddingOptions& options);

}  // namespace negativa
