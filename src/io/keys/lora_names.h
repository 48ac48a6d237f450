#pragma once
// The keys under which LoRA files store the tensors of one module: one function per dialect, (component, our module name) ->
// every spelling that dialect has had, the first being the one we write. Readers try the spellings of all modules; nothing is
// ever split. Sources: diffusers loaders/lora_conversion_utils.py and utils/state_dict_utils.py; kohya-ss networks/lora.py; peft
// tuners/lora.
#include "io/keys/unet_layout.h"

namespace negativa {

enum class LoraDialect { diffusers, kohya, peft };
enum class LoraSide { down, up, alpha, magnitude };  // [r,in], [out,r], scalar, [out] (DoRA)

// component: "unet", "text_encoder" or "text_encoder_2". module: our dotted name within it, without ".weight"
// ("down_blocks.1.attentions.0.proj_in", "text_model.encoder.layers.0.self_attn.q_proj").
// Diffusers refuses files with alpha keys in its own dialect, so alpha is read under that name but never to be written.
std::vector<std::string> diffusers_lora_names(const std::string& component, const std::string& module, LoraSide side);
std::vector<std::string> peft_lora_names(const std::string& component, const std::string& module, LoraSide side);
// The key in the file of a PeftModel, which is one model and does not say which. transformers >= 5.6 has no "text_model." in the
// first encoder any more, and its PeftModel finds no other spelling.
std::string peft_model_lora_name(const std::string& component, const std::string& module, LoraSide side);
// The layout (unet_layout of the UNet's keys) numbers SGM's blocks; text encoders ignore it.
std::vector<std::string> kohya_lora_names(const std::string& component, const std::string& module, LoraSide side,
                                          const UNetLayout& layout);

std::vector<std::string> lora_names(LoraDialect dialect, const std::string& component, const std::string& module, LoraSide side,
                                    const UNetLayout& layout);

}  // namespace negativa
