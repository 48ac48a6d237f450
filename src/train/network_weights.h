#pragma once
// --network-weights: the LoRA that a training goes on from.
#include "train/lora_parameters.h"

namespace negativa {

// The modules that LoraParameters::load takes from the file, in the models' order, each with the file's rank and alpha. Throws
// ErrorKind::input with the layer's name for what cannot be trained (all kinds but LoRA, LoCon, and DoRA over them with
// magnitudes of outputs), and for a file of which no layer is on.
std::vector<TrainedModule> modules_of_file(const LoraFile& lora, const LoraTargets& targets);

// What of the options has to be the file's. Throws ErrorKind::input in one line for --rank, --alpha, --conv-rank, --conv-alpha,
// --targets, --dora or --text-encoders that contradict it, and for a --format that cannot hold it. Returns the options with all
// of these left to the file, but for text_encoders, which is true where the file adapts them.
TrainLoraOptions agreed_with_file(const TrainLoraOptions& options, const LoraFile& lora, const LoraTargets& targets,
                                  const std::vector<TrainedModule>& modules);

// What of the file is left out, a line each: layers that are off, words that are bundled in.
std::vector<std::string> left_out_of_file(const LoraFile& lora);

}  // namespace negativa
