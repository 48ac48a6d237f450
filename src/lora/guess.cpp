#include "lora/guess.h"

#include <algorithm>

#include "lora/key_index.h"

namespace negativa {

namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// A part of a key that only one kind of file has, and what to do with such a file. The first that any key has wins.
struct Sign {
  const char *part, *meaning;
  bool at_end = false;  // of the key
};
#define UNSUPPORTED ", which is not read; train or export it as a LoRA or a LyCORIS file, or take another one"
constexpr Sign signs[] = {
    {".oft_blocks",
     "an OFT or BOFT adapter, whose file does not say whether the bias is turned (sd-scripts does, LyCORIS does "
     "not)" UNSUPPORTED},
    {".oft_diag", "an OFT adapter of an early LyCORIS (oft_diag)" UNSUPPORTED},
    {".oft_R",
     "an OFT adapter of peft or OneTrainer, which turns inputs by a rotation that the file alone does not fix" UNSUPPORTED},
    {".boft_", "a BOFT adapter of peft" UNSUPPORTED},
    {".ia3_l", "a peft (IA)3, IA3 for short, which scales the bias too (LyCORIS' is read)" UNSUPPORTED},
    {".vera_lambda", "a VeRA adapter, whose matrices are not in the file" UNSUPPORTED},
    {".lora_E", "an AdaLoRA adapter" UNSUPPORTED},
    {".lokr_t1", "a LoKr with a Tucker core in its first half (lokr_t1), which LyCORIS itself does not read" UNSUPPORTED},
    {".set_weight", "a file of weights that take the place of a model's (ComfyUI's set_weight)" UNSUPPORTED, true},
    {"controlnet", "a ControlNet, not a LoRA; ControlNets are not supported"},
    {"control_model.", "a ControlNet, not a LoRA; ControlNets are not supported"},
    {"lllite_", "a ControlNet-LLLite, not a LoRA; ControlNets are not supported"},
    {"input_hint_block", "a ControlNet, not a LoRA; ControlNets are not supported"},
    {"ip_adapter.", "an IP-Adapter, not a LoRA; IP-Adapters are not supported"},
    {"image_proj.", "an IP-Adapter, not a LoRA; IP-Adapters are not supported"},
    {"double_blocks", "a LoRA for Flux"},
    {"single_transformer_blocks", "a LoRA for Flux"},
    {"joint_blocks", "a LoRA for Stable Diffusion 3"},
    {"transformer.transformer_blocks", "a LoRA for a diffusion transformer such as Stable Diffusion 3"},
    {"lora_te3_", "a LoRA for Stable Diffusion 3"},
    {"string_to_param", "a textual-inversion embedding, not a LoRA; use --embedding"},
    {"emb_params", "a textual-inversion embedding, not a LoRA; use --embedding"},
    {"model.diffusion_model.", "a whole checkpoint, not a LoRA; use -m"},
    {"first_stage_model.", "a whole checkpoint, not a LoRA; use -m"},
    {"conditioner.embedders.", "a whole checkpoint, not a LoRA; use -m"},
};
#undef UNSUPPORTED

bool is_embedding(const std::string& key) {
  return key == "clip_l" || key == "clip_g" || (key.starts_with('<') && key.ends_with('>'));
}

// Features the first down matrix reads whose key has one of `middles` in it; 0: none.
int64_t width_read_by(const TensorFile& file, std::initializer_list<std::string_view> middles, std::string_view prefix = {}) {
  for (const auto& entry : file.entries()) {
    const auto parts = lora_key_parts(entry.name);
    if (!parts || parts->side != LoraSide::down || entry.shape.size() < 2 || !entry.name.starts_with(prefix)) continue;
    for (const auto middle : middles)
      if (contains(entry.name, middle)) return entry.shape[1];
  }
  return 0;
}

int64_t cross_attention_width(const LoraTargets& targets) {
  const auto unet = targets.components.find("unet");
  if (unet == targets.components.end()) return 0;
  for (const auto& target : unet->second)
    if (target.name.ends_with("attn2.to_k")) return target.in_features;
  return 0;
}

// The UNet's cross-attention width, or with text encoders alone their width, names the family.
std::string guess_by_width(const TensorFile& file, const LoraTargets& targets) {
  const auto ours = cross_attention_width(targets);
  const auto width = width_read_by(
      file, {"attn2_to_k", "attn2.to_k", "attn2.processor.to_k", "attn2_to_v", "attn2.to_v", "attn2.processor.to_v"});
  if (width == 0) {
    const auto text_width = width_read_by(file, {"q_proj", "k_proj", "v_proj", "to_q_lora", "mlp_fc1"}, "lora_te_");
    if (text_width == 768) return "a LoRA for Stable Diffusion 1.x (one text encoder of width 768)";
    if (text_width == 1024) return "a LoRA for Stable Diffusion 2.x (one text encoder of width 1024)";
    return {};
  }
  if (width == ours) return {};
  const auto against = ours ? fmt::format("cross-attention width {}, this model has {}", width, ours)
                            : fmt::format("cross-attention width {}", width);
  if (width == 768) return fmt::format("a LoRA for Stable Diffusion 1.x ({})", against);
  if (width == 1024) return fmt::format("a LoRA for Stable Diffusion 2.x ({})", against);
  if (width == 1280) return fmt::format("a LoRA for the SDXL refiner ({})", against);
  if (width == 2048) return fmt::format("a LoRA for full-size SDXL ({})", against);
  return fmt::format("a LoRA for an SDXL of another size ({})", against);
}

// A part of a pipeline saved by itself has our own key names.
bool is_model_part(const TensorFile& file, const LoraTargets& targets) {
  for (const auto& [component, layers] : targets.components)
    for (const auto& layer : layers)
      if (file.find(layer.name + ".weight")) return true;
  return false;
}

}  // namespace

std::string guess_purpose(const TensorFile& file, const LoraTargets& targets) {
  const auto& entries = file.entries();
  for (const auto& sign : signs)
    for (const auto& entry : entries)
      if (sign.at_end ? entry.name.ends_with(sign.part) : contains(entry.name, sign.part)) return sign.meaning;
  const auto any = [&](auto condition) { return std::any_of(entries.begin(), entries.end(), condition); };
  if (any([](const TensorEntry& entry) { return is_embedding(entry.name); }))
    return "a textual-inversion embedding, not a LoRA; use --embedding";
  if (is_model_part(file, targets)) return "a whole model, not a LoRA; use -m";
  if (const auto family = guess_by_width(file, targets); !family.empty()) return family;
  return {};
}

std::string remark_on(const TensorFile& file) {
  const auto& entries = file.entries();
  const auto is_kohya = [](const TensorEntry& entry) {
    return entry.name.starts_with("lora_unet_") || entry.name.starts_with("lora_te");
  };
  if (std::any_of(entries.begin(), entries.end(),
                  [&](const TensorEntry& entry) { return is_kohya(entry) && contains(entry.name, ".lora_A."); }))
    return "has peft's suffixes (lora_A, lora_B) under kohya's names, which few programs read; taken as lora_down and lora_up; "
           "negativa lora convert writes it properly";
  const bool one_encoder = !entries.empty() && std::all_of(entries.begin(), entries.end(), [](const TensorEntry& entry) {
    return entry.name.starts_with("lora_te_");
  });
  if (one_encoder)
    return "is a LoRA of one text encoder without a number (lora_te_), as those for Stable Diffusion 1.x are; SDXL's first "
           "encoder has the same layers, but its last is not "
           "read here, so the effect may be another";
  return {};
}

}  // namespace negativa
