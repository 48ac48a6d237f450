#include "io/keys/adapter_names.h"

#include <algorithm>

#include "io/keys/sgm_unet.h"

namespace negativa {

namespace {

constexpr const char* unet = "unet";
constexpr const char* first = "text_encoder";
constexpr const char* second = "text_encoder_2";

std::string underscored(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

// What a layer of attention is called inside the attention processors of 2023, and in text encoders of that year.
struct Processor {
  const char *ours, *theirs;
};
constexpr Processor unet_processors[] = {
    {".to_q", ".processor.to_q"}, {".to_k", ".processor.to_k"}, {".to_v", ".processor.to_v"}, {".to_out.0", ".processor.to_out"}};
constexpr Processor text_processors[] = {
    {".q_proj", ".to_q"}, {".k_proj", ".to_k"}, {".v_proj", ".to_v"}, {".out_proj", ".to_out"}};

template <size_t n>
void add_processor(std::vector<LayerName>& names, const Processor (&table)[n], const std::string& layer) {
  for (const auto& [ours, theirs] : table)
    if (layer.ends_with(ours)) names.push_back({layer.substr(0, layer.size() - std::string_view(ours).size()) + theirs});
}

void add_both(std::vector<LayerName>& names, const std::string& name, bool is_sgm = false) {
  names.push_back({name, is_sgm});
  if (const auto flat = underscored(name); flat != name) names.push_back({flat, is_sgm});
}

}  // namespace

// Of two that fit, the one that stands first counts.
const std::vector<AdapterPrefix>& adapter_prefixes() {
  using enum LoraDialect;
  static const std::vector<AdapterPrefix> prefixes = {
      // diffusers, save_lora_weights; ai-toolkit; OneTrainer's DIFFUSERS; with SGM's blocks OMI's UNet
      {"unet.", unet, diffusers},
      {"text_encoder.", first, diffusers},
      {"text_encoder_2.", second, diffusers},
      // kohya-ss networks/lora.py; ai-toolkit; OneTrainer's legacy form, with diffusers' blocks
      {"lora_unet_", unet, kohya},
      {"lora_te1_", first, kohya},
      {"lora_te_", first, kohya},
      {"lora_te2_", second, kohya},
      // OneTrainer's dotted form (convert_lora_util.py, "diffusers")
      {"lora_unet.", unet, kohya},
      {"lora_te1.", first, kohya},
      {"lora_te2.", second, kohya},
      // OMI (OneTrainer, convert_sdxl_lora.py, "omi")
      {"clip_l.", first, kohya},
      {"clip_g.", second, kohya},
      // ComfyUI, LoraSave and the nodes that extract (comfy/lora.py, model_lora_keys_unet and _clip)
      {"diffusion_model.", unet, kohya},
      {"model.diffusion_model.", unet, kohya},
      {"text_encoders.clip_l.transformer.", first, kohya},
      {"text_encoders.clip_g.transformer.", second, kohya},
      {"clip_l.transformer.", first, kohya},
      {"clip_g.transformer.", second, kohya},
      // LyCORIS (wrapper.py, LORA_PREFIX), SimpleTuner
      {"lycoris_unet_", unet, kohya},
      {"lycoris_te1_", first, kohya},
      {"lycoris_te_", first, kohya},
      {"lycoris_te2_", second, kohya},
      {"lycoris_text_encoder_2_", second, kohya},
      {"lycoris_text_encoder_", first, kohya},
      {"lycoris_", nullptr, kohya},
      // peft: a PeftModel is one model and does not say which
      {"base_model.model.", nullptr, peft},
      {"unet.base_model.model.", unet, peft},
      {"text_encoder.base_model.model.", first, peft},
      {"text_encoder_2.base_model.model.", second, peft},
      // save_lora_adapter; with SGM's blocks OneTrainer's ORIGINAL
      {"", nullptr, peft},
  };
  return prefixes;
}

const std::vector<AdapterSuffix>& adapter_suffixes() {
  static const std::vector<AdapterSuffix> suffixes = {
      {".lora_down.weight", "lora_down"},
      {".lora_up.weight", "lora_up"},
      {".lora_mid.weight", "lora_mid"},
      {".lora_A.weight", "lora_down"},
      {".lora_B.weight", "lora_up"},
      {".lora.down.weight", "lora_down"},
      {".lora.up.weight", "lora_up"},
      {".lora_linear_layer.down.weight", "lora_down"},
      {".lora_linear_layer.up.weight", "lora_up"},
      {"_lora.down.weight", "lora_down"},  // attention processors of 2023: "to_q_lora.down.weight"
      {"_lora.up.weight", "lora_up"},
      {".alpha", "alpha"},
      {".scalar", "scalar"},
      {".dora_scale", "dora_scale"},
      {".lora_magnitude_vector", "magnitude"},
      {".lora_magnitude_vector.weight", "magnitude"},
      {".b_norm", "diff_b"},
      {".diff_b", "diff_b"},
      {".w_norm", "diff"},
      {".diff", "diff"},
  };
  return suffixes;
}

LayerNames::LayerNames(const UNetLayout& layout) : sgm_(sgm_unet_pairs(layout), KeyMap::to_theirs) {}

std::vector<LayerName> LayerNames::of(const std::string& component, const std::string& layer) const {
  std::vector<LayerName> names;
  if (component == unet) {
    add_both(names, layer);
    for (const auto& pair : sgm_.find(layer)) add_both(names, pair.theirs, true);
    add_processor(names, unet_processors, layer);
    return names;
  }
  static const std::string root = "text_model.";
  std::vector<std::string> spellings = {layer};  // transformers >= 5.6 leaves "text_model." out
  if (layer.starts_with(root)) spellings.push_back(layer.substr(root.size()));
  for (const auto& spelling : spellings) {
    add_both(names, spelling);
    add_processor(names, text_processors, spelling);
  }
  return names;
}

std::string without_adapter_name(const std::string& key) {
  constexpr std::string_view weight = ".weight";
  for (const std::string_view side : {".lora_A.", ".lora_B.", ".lora_magnitude_vector."}) {
    const auto at = key.rfind(side);
    if (at == std::string::npos) continue;
    const auto name = at + side.size();
    if (key.ends_with(weight) && name + weight.size() <= key.size()) return key.substr(0, name) + "weight";
    if (side == ".lora_magnitude_vector.") return key.substr(0, name) + "weight";
  }
  return key;
}

std::string component_of_key(const std::string& key) {
  for (const auto& prefix : adapter_prefixes())
    if (prefix.component && key.starts_with(prefix.text)) return prefix.component;
  std::string_view name = key;
  for (const std::string_view prefix : {"base_model.model.", "lycoris_"})
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  for (const std::string_view block : {"down_blocks", "mid_block", "up_blocks", "input_blocks", "middle_block", "output_blocks"})
    if (name.starts_with(block)) return unet;
  return "other";
}

}  // namespace negativa
