#pragma once
// `negativa train embedding`: a folder of pictures becomes a word of the prompt, a file with its vectors for both encoders.
#include "jobs/forecast.h"
#include "train/embedding_trainer.h"
#include "train/training_run.h"

namespace negativa {

struct TrainEmbeddingRequest {
  TrainEmbeddingOptions options;
  std::string config_toml = {};  // print_config's text, which goes into the run folder
};

TrainReport train_embedding(Engine& engine, const TrainEmbeddingRequest& request, EventSink& events, const CancelToken& cancel);

// What --dry-run tells.
TrainingForecast forecast_train_embedding(Engine& engine, const TrainEmbeddingOptions& options, EventSink& events,
                                          const CancelToken& cancel);

}  // namespace negativa
