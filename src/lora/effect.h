#pragma once
// Whether a LoRA does anything, so that one that does nothing is said to.
#include "lora/attach.h"

namespace negativa {

// What of a model a picture reads. A baked or merged LoRA: all of it.
struct PictureReads {
  bool negative = true;       // the UNet's row of the negative prompt is computed: not without guidance
  bool negative_text = true;  // the negative prompt is encoded: not where its absence means zeros
  bool base = true;           // at least one step is the base model's
  std::string why_no_negative = "which is not drawn without guidance; try a --cfg-scale above 1";
};

// Why the LoRA has no effect, to stand behind "has no effect: "; empty: it has one.
std::string why_without_effect(const ActiveLora& lora, const PictureReads& reads = {});

}  // namespace negativa
