#pragma once
// Training a LoRA: Hu et al. 2021, arXiv:2106.09685; DreamBooth: Ruiz et al. 2022, arXiv:2208.12242.
// Source of the recipe: diffusers, examples/dreambooth/train_dreambooth_lora_sdxl.py.
#include "train/lora_parameters.h"
#include "train/training_course.h"

namespace negativa {

inline constexpr double default_text_encoder_learning_rate = 5e-6;  // train_dreambooth_lora_sdxl.py

struct LoraTraining : Training {
  TrainLoraOptions options;  // resolved; with network_weights what is the file's is not set
  LoraTargets targets;
  std::vector<TrainedModule> modules;
  std::shared_ptr<const LoraFile> network_weights;  // what the training goes on from; nullptr: a new LoRA
};

// Throws as open_training, read_lora and network_weights.h do.
LoraTraining plan_lora_training(const TrainLoraOptions& options, const TrainingHost& host, const DataHooks& hooks = {});

// What the optimiser moves in a step whose learning rates are lr_factor times those of the options. Factors that no gradient
// reaches are left alone, weight decay included, as torch.optim.AdamW does.
std::vector<ParameterGroup> parameter_groups(const TrainLoraOptions& options, const LoraParameters& parameters, double lr_factor);

TrainingResult train_lora(const LoraTraining& training, RunFolder& run, const TrainHooks& hooks);

}  // namespace negativa
