#pragma once
// What peft has to be told of a LoRA's matrices: the fields of LoraConfig that follow from the modules.
#include <map>
#include <set>
#include <string>

#include "base/json_fwd.h"
#include "lora/lora_file.h"

namespace negativa {

// {"r", "lora_alpha", "rank_pattern", "alpha_pattern", "target_modules"} of one component: the commonest rank and alpha, and what
// differs by name. Names are without "text_model.", of which some versions of transformers know nothing: peft compares ends of
// names.
Json adapter_fields(const std::map<std::string, LoraModule>& modules);

// True when every alpha is its module's rank, which is what a file that says nothing means.
bool alphas_are_ranks(const std::map<std::string, LoraModule>& modules);

// The text of peft's adapter_config.json. is_dora: of all modules. Source: peft tuners/lora/config.py, 0.21.2.
std::string adapter_config_text(const std::map<std::string, LoraModule>& modules, bool is_dora = false);

// The text of `lora_adapter_metadata` for all components, as diffusers' save_lora_weights writes it: "unet.r" …, sorted, indented
// by 2. doras: components whose modules are all DoRAs.
std::string adapter_metadata_text(const LoraModules& components, const std::set<std::string>& doras = {});

}  // namespace negativa
