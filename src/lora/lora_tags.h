#pragma once
// The webui's way to name a LoRA in a prompt: <lora:NAME>, <lora:NAME:W>, <lora:NAME:TEXT:UNET>, te= and unet=, and the same with
// <lyco:…>. Source: stable-diffusion-webui modules/extra_networks.py, extensions-builtin/Lora/extra_networks_lora.py.
#include <functional>
#include <string>
#include <vector>

#include "lora/lora_spec.h"

namespace negativa {

// Takes the tags out of the prompt, which is trimmed where there was one, and returns them as they stood.
std::vector<std::string> take_lora_tags(std::string& prompt);

struct LoraOfTag {
  std::string name;
  PartWeights weight;
};
// `is_name`: whether there is a LoRA of that name, since names may have a colon. `where` begins the message of ErrorKind::input
// for weights that are none.
LoraOfTag read_lora_tag(const std::string& tag, const std::function<bool(const std::string&)>& is_name, const std::string& where);

}  // namespace negativa
