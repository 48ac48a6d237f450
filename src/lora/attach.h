#pragma once
// LoRAs as an argument of forward. A term whose scale is 0 on every row is left out, so weight 0 gives the bytes of no LoRA at
// all.
#include "lora/lora_file.h"
#include "lora/lora_spec.h"

namespace negativa {

struct ActiveLora {
  std::shared_ptr<const LoraFile> file;
  PartWeights weight;
  LoraBranch branch = LoraBranch::both;
};

// For a UNet batch of the rows [negative, positive]: row_scale = {s, s} with s = weight * alpha / rank, 0 on the branch it does
// not act on. A layer that several LoRAs train has one term for each, in their order.
nn::Adapters unet_adapters(const std::vector<ActiveLora>& loras);

// For encoding the prompt of one branch (negative or positive) by "text_encoder" or "text_encoder_2"; one scale for all rows.
nn::Adapters text_adapters(const std::vector<ActiveLora>& loras, const std::string& component, LoraBranch prompt);

}  // namespace negativa
