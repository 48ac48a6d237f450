// diffusers' spellings, newest first (utils/state_dict_utils.py; 2023: models/attention_processor.py, loaders.py).
#include <array>

#include "base/error.h"
#include "io/keys/lora_names.h"

namespace negativa {

namespace {
struct Attention2023 {
  const char *ours, *processor;  // module name -> name inside the attention processor of 2023
};
constexpr Attention2023 unet_attention[] = {
    {".to_q", "to_q_lora"}, {".to_k", "to_k_lora"}, {".to_v", "to_v_lora"}, {".to_out.0", "to_out_lora"}};
constexpr Attention2023 text_attention[] = {
    {".q_proj", "to_q_lora"}, {".k_proj", "to_k_lora"}, {".v_proj", "to_v_lora"}, {".out_proj", "to_out_lora"}};

// The module's name where it ends in ours: "….attn1.to_out.0" -> "….attn1." + between + "to_out_lora"; empty elsewhere.
template <size_t n>
std::string processor_name(const Attention2023 (&table)[n], const std::string& module, const char* between) {
  for (const auto& entry : table)
    if (module.ends_with(entry.ours))
      return module.substr(0, module.size() - std::string(entry.ours).size() + 1) + between + entry.processor;
  return {};
}

void add_sides(std::vector<std::string>& names, const std::string& module, LoraSide side, const std::string& infix) {
  switch (side) {
    case LoraSide::down:
      names.push_back(module + infix + ".down.weight");
      names.push_back(module + ".lora_A.weight");
      return;
    case LoraSide::up:
      names.push_back(module + infix + ".up.weight");
      names.push_back(module + ".lora_B.weight");
      return;
    case LoraSide::alpha:
      names.push_back(module + ".alpha");
      return;
    case LoraSide::magnitude:
      names.push_back(module + ".lora_magnitude_vector");
      return;
  }
}

void add_2023(std::vector<std::string>& names, const std::string& module, LoraSide side) {
  if (side == LoraSide::down) names.push_back(module + ".down.weight");
  if (side == LoraSide::up) names.push_back(module + ".up.weight");
}
}  // namespace

std::vector<std::string> diffusers_lora_names(const std::string& component, const std::string& module, LoraSide side) {
  std::vector<std::string> names;
  if (component == "unet") {
    add_sides(names, "unet." + module, side, ".lora");
    if (const auto old = processor_name(unet_attention, module, "processor."); !old.empty())
      for (const auto& prefix : {std::string("unet."), std::string()}) add_2023(names, prefix + old, side);
    return names;
  }
  check(component == "text_encoder" || component == "text_encoder_2", ErrorKind::input,
        "[diffusers names] got component \"{}\", expected unet, text_encoder or text_encoder_2", component);
  static const std::string root = "text_model.";
  std::vector<std::string> spellings = {module};  // transformers >= 5.6 leaves "text_model." out
  if (module.starts_with(root)) spellings.push_back(module.substr(root.size()));
  for (const auto& spelling : spellings) {
    add_sides(names, component + "." + spelling, side, ".lora_linear_layer");
    if (const auto old = processor_name(text_attention, spelling, ""); !old.empty()) add_2023(names, component + "." + old, side);
  }
  return names;
}

std::vector<std::string> lora_names(LoraDialect dialect, const std::string& component, const std::string& module, LoraSide side,
                                    const UNetLayout& layout) {
  switch (dialect) {
    case LoraDialect::diffusers:
      return diffusers_lora_names(component, module, side);
    case LoraDialect::peft:
      return peft_lora_names(component, module, side);
    case LoraDialect::kohya:
      break;
  }
  return kohya_lora_names(component, module, side, layout);
}

}  // namespace negativa
