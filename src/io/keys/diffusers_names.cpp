#include "io/keys/diffusers_names.h"

namespace negativa {

namespace {
KeyMap legacy_vae_attention() {
  KeyPairs pairs;
  static constexpr const char* names[][2] = {{"to_q", "query"}, {"to_k", "key"}, {"to_v", "value"}, {"to_out.0", "proj_attn"}};
  for (const std::string half : {"encoder", "decoder"})
    for (const auto& [ours, theirs] : names) {
      const auto attention = half + ".mid_block.attentions.0.";
      pairs.push_back({.ours = attention + ours, .theirs = attention + theirs, .squeeze = true});
    }
  return KeyMap(pairs, KeyMap::to_ours);
}

bool is_inside(const std::string& name, std::initializer_list<const char*> modules) {
  for (const char* module : modules)
    if (name.starts_with(module)) return true;
  return false;
}
}  // namespace

std::optional<KeyPair> from_diffusers_name(const std::string& part, const std::string& name) {
  if (part == "vae") {
    static const auto legacy = legacy_vae_attention();
    const auto found = legacy.find(name);
    return found.empty() ? KeyPair{name, name} : found.front();
  }
  if (part != "text_encoder" && part != "text_encoder_2") return KeyPair{name, name};
  if (name.ends_with("position_ids") || name == "logit_scale") return {};
  if (part == "text_encoder" && name == "text_projection.weight") return {};
  if (is_inside(name, {"encoder.", "embeddings.", "final_layer_norm."})) return KeyPair{"text_model." + name, name};
  return KeyPair{name, name};
}

}  // namespace negativa
