#pragma once
// Module names of kohya-ss LoRA files (networks/lora.py): prefix, then the module's name with "_" for ".".
// Built from our names, never taken apart: "to_out_0" and "proj_in" cannot be split back.
#include "io/keys/key_pairs.h"
#include "io/keys/lora_names.h"

namespace negativa {

// The names for one UNet, whose blocks are numbered once.
class KohyaNames {
 public:
  explicit KohyaNames(const UNetLayout& layout);
  // "lora_unet_input_blocks_4_1_proj_in" (what kohya writes), then "lora_unet_down_blocks_1_attentions_0_proj_in";
  // "lora_te1_text_model_…", then "lora_te_…" and the forms without "text_model_"; "lora_te2_…".
  std::vector<std::string> modules(const std::string& component, const std::string& module) const;
  // The same with the suffix of that side: kohya_lora_names.
  std::vector<std::string> keys(const std::string& component, const std::string& module, LoraSide side) const;

 private:
  KeyMap sgm_;
};

std::vector<std::string> kohya_module_names(const std::string& component, const std::string& module, const UNetLayout& layout);

}  // namespace negativa
