#pragma once
// Textual inversion for both encoders: Gal et al. 2022, arXiv:2208.01618.
// Source of the recipe: diffusers, examples/textual_inversion/textual_inversion_sdxl.py; docs/formats.md says where we differ.
#include "train/embedding_parameters.h"
#include "train/memory_plan.h"
#include "train/training_course.h"

namespace negativa {

struct EmbeddingTraining : Training {
  TrainEmbeddingOptions options;      // with the name
  Embedding start;                    // its vectors before the first step, fp32
  std::vector<std::string> captions;  // sentences with the name in them; empty: each picture has its own
};

// Throws as open_training does, and ErrorKind::input for a name that is a token already, an initializer of several tokens, and a
// text without the name.
EmbeddingTraining plan_embedding_training(const TrainEmbeddingOptions& options, const TrainingHost& host,
                                          const DataHooks& hooks = {});

MemoryRequest memory_request(const EmbeddingTraining& training);

TrainingResult train_embedding(const EmbeddingTraining& training, RunFolder& run, const TrainHooks& hooks);

// clip_l and clip_g, what generate --embedding, ComfyUI and the webuis read.
void write_embedding(const std::filesystem::path& path, const Embedding& embedding, const Metadata& metadata = {});

}  // namespace negativa
