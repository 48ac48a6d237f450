#pragma once
// LoRAs as an argument of forward. A term whose scale is 0 on every row is left out, so weight 0 gives the bytes of no LoRA at
// all.
#include "lora/lora_file.h"
#include "lora/lora_spec.h"
#include "nn/adapters.h"

namespace negativa {

struct ActiveLora {
  std::shared_ptr<const LoraFile> file;
  double weight = 1;
  LoraBranch branch = LoraBranch::both;
};

// Which row of the UNet's batch says the negative prompt: the one that guidance leads away from, one of its own, or none.
enum class NegativeRow { reference, own, none };

// For a UNet batch of the rows [negative, positive]; own: [no prompt, positive, negative]; none: [no prompt, positive]. row_scale
// = {s, s} with s = weight * alpha / rank, 0 on the row of a branch it does not act on, and on that of no prompt. A layer that
// several LoRAs train has one term for each, in their order.
nn::Adapters unet_adapters(const std::vector<ActiveLora>& loras, NegativeRow negative = NegativeRow::reference);

// For encoding the prompt of one branch (negative or positive) by "text_encoder" or "text_encoder_2"; one scale for all rows.
nn::Adapters text_adapters(const std::vector<ActiveLora>& loras, const std::string& component, LoraBranch prompt);

}  // namespace negativa
