#pragma once
// Training an embedding, from its plan to its file.
#include "train/embedding_trainer.h"
#include "train/training_run.h"

namespace negativa {

// Throws what run_embedding_training would at once for options.run.out, before anything is planned: ErrorKind::input.
void check_embedding_out(const TrainEmbeddingOptions& options);

// Writes training.options.run.out and the run folder beside it. Throws as check_embedding_out and run_training do.
TrainReport run_embedding_training(const EmbeddingTraining& training, const TrainingExtras& extras, const Caller& caller);

}  // namespace negativa
