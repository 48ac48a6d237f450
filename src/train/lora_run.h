#pragma once
// Training a LoRA, from its plan to its file.
#include "train/lora_trainer.h"
#include "train/training_run.h"

namespace negativa {

// Throws what run_lora_training would at once for options.run.out, before anything is planned.
void check_lora_out(const TrainLoraOptions& options);

// Writes training.options.run.out, in the options' format, and the run folder beside it. Throws as check_lora_name and
// run_training do.
TrainReport run_lora_training(const LoraTraining& training, const TrainingExtras& extras, const Caller& caller);

}  // namespace negativa
