#pragma once
// Which layers of a model LoRAs act on.
#include "io/model_files.h"
#include "lora/lora_file.h"

namespace negativa {

// The linear layers, convolutions and norms of base UNet and text encoders, for reading LoRA files and for training them; needs
// no weights.
LoraTargets lora_targets(const ModelFiles& files);

}  // namespace negativa
