#include "lora/guess.h"

#include <algorithm>
#include <set>

#include "base/text.h"
#include "io/safetensors_header.h"
#include "lora/key_index.h"

namespace negativa {

namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// A part of a key that only one kind of file has, and what to do with such a file. The first that any key has wins.
struct Sign {
  const char *part, *meaning;
  bool at_end = false;  // of the key
};
#define UNSUPPORTED ", which is not supported; train or export it as a plain LoRA, or take another file"
constexpr Sign signs[] = {
    {"dora_scale", "a DoRA (LoRA with magnitudes)" UNSUPPORTED},
    {"magnitude", "a DoRA (LoRA with magnitudes)" UNSUPPORTED},
    {".hada_", "a LyCORIS LoHa" UNSUPPORTED},
    {".lokr_", "a LyCORIS LoKr" UNSUPPORTED},
    {".oft_", "an OFT or BOFT adapter" UNSUPPORTED},
    {".boft_", "an OFT or BOFT adapter" UNSUPPORTED},
    {".on_input", "a LyCORIS (IA)3, IA3 for short," UNSUPPORTED},
    {".ia3_l", "a peft (IA)3, IA3 for short," UNSUPPORTED},
    {".a1.weight", "a LyCORIS GLoRA" UNSUPPORTED},
    {".b1.weight", "a LyCORIS GLoRA" UNSUPPORTED},
    {".vera_lambda", "a VeRA adapter" UNSUPPORTED},
    {".lora_E", "an AdaLoRA adapter" UNSUPPORTED},
    {".lora_mid.",
     "a convolution LoRA in Tucker form (LoCon), which is not supported yet; take a LoRA without convolution layers"},
    {".w_norm", "a LyCORIS file with trained norms (differences of norm layers)" UNSUPPORTED, true},
    {".b_norm", "a LyCORIS file with trained norms (differences of norm layers)" UNSUPPORTED, true},
    {".diff", "a file of full weight differences" UNSUPPORTED, true},
    {".diff_b", "a file of full weight differences" UNSUPPORTED, true},
    {"lycoris_", "a LyCORIS file" UNSUPPORTED},
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

// Layers of the UNet that are convolutions here: ours and SGM's names, as they end a LoRA's stem.
bool is_convolution(const TensorEntry& entry) {
  const auto parts = lora_key_parts(entry.name);
  if (!parts || parts->side != LoraSide::down) return false;
  if (entry.shape.size() == 4 && (entry.shape[2] > 1 || entry.shape[3] > 1)) return true;
  std::string stem = parts->stem;
  std::replace(stem.begin(), stem.end(), '.', '_');
  for (const char* end : {"_conv", "_conv1", "_conv2", "_conv_shortcut", "_conv_in", "_conv_out", "_in_layers_2", "_out_layers_3",
                          "_skip_connection", "_0_op", "_input_blocks_0_0", "lora_unet_out_2"})
    if (stem.ends_with(end)) return true;
  return false;
}

bool is_embedding(const std::string& key) {
  return key == "clip_l" || key == "clip_g" || (key.starts_with('<') && key.ends_with('>'));
}

// Features the first down matrix reads whose key has one of `middles` in it; 0: none.
int64_t width_read_by(const SafetensorsFile& file, std::initializer_list<std::string_view> middles,
                      std::string_view prefix = {}) {
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
std::string guess_by_width(const SafetensorsFile& file, const LoraTargets& targets) {
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

// Of "bundle_emb.WORD.clip_l" and "bundle_emb.WORD.string_to_param.*", as OneTrainer and the webui put embeddings into a LoRA.
std::vector<std::string> bundled_words(const SafetensorsFile& file) {
  constexpr std::string_view prefix = "bundle_emb.";
  std::set<std::string> words;
  for (const auto& entry : file.entries()) {
    if (!entry.name.starts_with(prefix)) continue;
    std::string rest = entry.name.substr(prefix.size());
    for (const char* end : {".clip_l", ".clip_g", ".string_to_param", ".emb_params"}) rest = rest.substr(0, rest.find(end));
    words.insert(printable_name(rest));
  }
  return {words.begin(), words.end()};
}

// A part of a pipeline saved by itself has our own key names.
bool is_model_part(const SafetensorsFile& file, const LoraTargets& targets) {
  for (const auto& [component, layers] : targets.components)
    for (const auto& layer : layers)
      if (file.find(layer.name + ".weight")) return true;
  return false;
}

}  // namespace

std::string guess_purpose(const SafetensorsFile& file, const LoraTargets& targets) {
  const auto& entries = file.entries();
  if (const auto words = bundled_words(file); !words.empty())
    return fmt::format(
        "a LoRA with the textual inversion {} bundled in it (bundle_emb); --allow-unmatched takes the LoRA without it, and its "
        "vectors, as clip_l and clip_g "
        "of a file of their own, go to --embedding",
        joined(words, ", "));
  for (const auto& sign : signs)
    for (const auto& entry : entries)
      if (sign.at_end ? entry.name.ends_with(sign.part) : contains(entry.name, sign.part)) return sign.meaning;
  const auto any = [&](auto condition) { return std::any_of(entries.begin(), entries.end(), condition); };
  if (any([](const TensorEntry& entry) { return is_embedding(entry.name); }))
    return "a textual-inversion embedding, not a LoRA; use --embedding";
  if (is_model_part(file, targets)) return "a whole model, not a LoRA; use -m";
  if (const auto family = guess_by_width(file, targets); !family.empty()) return family;
  if (any(is_convolution)) return "a LoRA with convolution layers (LoCon): convolution LoRA is not supported yet";
  return {};
}

std::string remark_on(const SafetensorsFile& file) {
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
