#pragma once
// Module names of kohya-ss LoRA files (networks/lora.py): prefix, then the module's name with "_" for ".".
// Built from our names, never taken apart: "to_out_0" and "proj_in" cannot be split back.
#include "io/keys/unet_layout.h"

namespace negativa {

// "lora_unet_input_blocks_4_1_proj_in" (what kohya writes), then "lora_unet_down_blocks_1_attentions_0_proj_in";
// "lora_te1_text_model_…", then "lora_te_…" and the forms without "text_model_"; "lora_te2_…".
std::vector<std::string> kohya_module_names(const std::string& component, const std::string& module, const UNetLayout& layout);

}  // namespace negativa
