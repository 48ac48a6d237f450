// peft's spellings (PeftModel.save_pretrained and get_peft_model_state_dict).
#include "io/keys/lora_names.h"

namespace negativa {

namespace {
std::vector<const char*> suffixes(LoraSide side) {
  switch (side) {
    case LoraSide::down:
      return {".lora_A.weight", ".lora_A.default.weight"};
    case LoraSide::up:
      return {".lora_B.weight", ".lora_B.default.weight"};
    case LoraSide::alpha:
      return {".alpha"};
    case LoraSide::magnitude:
      break;
  }
  return {".lora_magnitude_vector", ".lora_magnitude_vector.weight", ".lora_magnitude_vector.default.weight"};
}
}  // namespace

std::vector<std::string> peft_lora_names(const std::string& component, const std::string& module, LoraSide side) {
  // peft knows one model a file, so only the UNet goes without its component's name.
  std::vector<std::string> prefixes = {component + ".base_model.model."};
  if (component == "unet") prefixes = {"base_model.model.", "unet.base_model.model.", ""};
  std::vector<std::string> names;
  for (const auto& prefix : prefixes)
    for (const auto* suffix : suffixes(side)) names.push_back(prefix + module + suffix);
  return names;
}

std::string peft_model_lora_name(const std::string& component, const std::string& module, LoraSide side) {
  static const std::string root = "text_model.";
  const bool flat = component == "text_encoder" && module.starts_with(root);
  return "base_model.model." + (flat ? module.substr(root.size()) : module) + suffixes(side).front();
}

}  // namespace negativa
