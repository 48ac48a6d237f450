#pragma once
// Pictures that a training draws with the pipeline: of the class it must not forget, and previews of what it has learnt.
#include "engine/session.h"
#include "train/training_run.h"

namespace negativa {

// Draws --class-prompt into --class-data until there are class_count pictures; those that are there stay. Picture i has seed + i,
// 50 steps and guidance 5.
void draw_class_pictures(Engine& engine, const TrainOptions& options, const Caller& caller);

// Draws the validation prompt with what is trained by a step, always from the same noise, on the calling thread. Encoders and VAE
// are loaded for it and freed again: between previews the training has the memory to itself.
Image8 draw_preview(const Engine& engine, const TrainOptions& options, const std::shared_ptr<const UNet>& unet,
                    const Trained& trained, const CancelToken& cancel);

// What that takes at its peak, as MemoryRequest::preview_bytes. 0 without --validation-prompt. Throws what drawing would throw
// before its first step.
int64_t preview_bytes(const Engine& engine, const TrainOptions& options);

// What a training by this engine is given beside its plan: config file and previews. Holds references to all of them but
// config_toml. Throws as preview_bytes does.
TrainingExtras training_extras(const Engine& engine, const TrainOptions& options, const std::string& config_toml,
                               const CancelToken& cancel);

}  // namespace negativa
