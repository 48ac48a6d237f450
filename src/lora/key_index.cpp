#include "lora/key_index.h"

#include <algorithm>

#include "io/keys/kohya.h"

namespace negativa {

namespace {

constexpr LoraSide sides[] = {LoraSide::down, LoraSide::up, LoraSide::alpha, LoraSide::magnitude};

// "….lora_A.default.weight" -> "….lora_A.weight": peft's state dicts carry the adapter's name inside the key.
std::string without_adapter_name(const std::string& key) {
  for (const char* side : {".lora_A.", ".lora_B.", ".lora_magnitude_vector."}) {
    const auto at = key.rfind(side);
    if (at == std::string::npos) continue;
    const auto name = at + std::string_view(side).size();
    const auto weight = key.rfind(".weight");
    if (weight != std::string::npos && weight > name && weight + 7 == key.size()) return key.substr(0, name) + "weight";
  }
  return key;
}

// "lora_unet_….lora_down.weight" -> "lora_unet_….lora_A.weight", as some programs write it; any other key as it is.
std::string with_pefts_suffix(const std::string& key) {
  constexpr std::string_view down = ".lora_down.weight", up = ".lora_up.weight";
  if (key.ends_with(down)) return key.substr(0, key.size() - down.size()) + ".lora_A.weight";
  if (key.ends_with(up)) return key.substr(0, key.size() - up.size()) + ".lora_B.weight";
  return key;
}

bool fits(const LoraPlace& place, const TensorEntry& entry) {
  const Shape shape = matrix_shape(entry.shape);
  if (place.side == LoraSide::down) return shape.size() == 2 && shape[1] == place.target->in_features;
  if (place.side == LoraSide::up) return shape.size() == 2 && shape[0] == place.target->out_features;
  return true;
}

}  // namespace

Shape matrix_shape(const Shape& shape) {
  if (shape.size() == 4 && shape[2] == 1 && shape[3] == 1) return {shape[0], shape[1]};
  return shape;
}

LoraKeyIndex::LoraKeyIndex(const LoraTargets& targets) {
  const KohyaNames kohya(targets.layout);
  for (const auto& [component, layers] : targets.components) {
    for (const auto& layer : layers) {
      for (const LoraSide side : sides) {
        for (const auto& key : diffusers_lora_names(component, layer.name, side))
          add(key, {component, &layer, side, LoraDialect::diffusers});
        for (const auto& key : kohya.keys(component, layer.name, side))
          for (const auto& spelling : {key, with_pefts_suffix(key)}) add(spelling, {component, &layer, side, LoraDialect::kohya});
        for (const auto& key : peft_lora_names(component, layer.name, side))
          add(key, {component, &layer, side, LoraDialect::peft});
        if (component == "unet") continue;
        // A PeftModel of a text encoder: the UNet's spellings, but for the encoder's modules, with and without their root.
        const auto flat = layer.name.starts_with("text_model.") ? layer.name.substr(11) : layer.name;
        for (const auto& name : {layer.name, flat})
          for (const auto& key : lora_names(LoraDialect::peft, "unet", name, side, targets.layout))
            if (!key.starts_with("unet.")) add(key, {component, &layer, side, LoraDialect::peft});
      }
    }
  }
}

void LoraKeyIndex::add(const std::string& key, LoraPlace place) {
  auto& known = places_[without_adapter_name(key)];
  const bool again = std::any_of(known.begin(), known.end(), [&](const LoraPlace& other) {
    return other.target == place.target && other.side == place.side;
  });
  if (!again) known.push_back(std::move(place));
}

const LoraPlace* LoraKeyIndex::find(const TensorEntry& entry) const {
  const auto found = places_.find(without_adapter_name(entry.name));
  if (found == places_.end()) return nullptr;
  const auto& places = found->second;
  const auto fitting = std::find_if(places.begin(), places.end(), [&](const LoraPlace& place) { return fits(place, entry); });
  return fitting == places.end() ? &places.front() : &*fitting;
}

int64_t count_unfit_keys(const SafetensorsFile& file, const LoraKeyIndex& index) {
  return std::count_if(file.entries().begin(), file.entries().end(), [&](const TensorEntry& entry) {
    const auto* place = index.find(entry);
    return !place || !fits(*place, entry);
  });
}

std::optional<LoraKeyParts> lora_key_parts(const std::string& key) {
  struct Suffix {
    const char* text;
    LoraSide side;
    LoraDialect dialect;
  };
  static constexpr Suffix suffixes[] = {
      {".lora_down.weight", LoraSide::down, LoraDialect::kohya},
      {".lora_up.weight", LoraSide::up, LoraDialect::kohya},
      {".alpha", LoraSide::alpha, LoraDialect::kohya},
      {".lora_A.weight", LoraSide::down, LoraDialect::peft},
      {".lora_B.weight", LoraSide::up, LoraDialect::peft},
      {".lora.down.weight", LoraSide::down, LoraDialect::diffusers},
      {".lora.up.weight", LoraSide::up, LoraDialect::diffusers},
      {".lora_linear_layer.down.weight", LoraSide::down, LoraDialect::diffusers},
      {".lora_linear_layer.up.weight", LoraSide::up, LoraDialect::diffusers},
      {"_lora.down.weight", LoraSide::down, LoraDialect::diffusers},
      {"_lora.up.weight", LoraSide::up, LoraDialect::diffusers},
  };
  const auto plain = without_adapter_name(key);
  for (const auto& suffix : suffixes)
    if (plain.ends_with(suffix.text))
      return LoraKeyParts{plain.substr(0, plain.size() - std::string_view(suffix.text).size()), suffix.side, suffix.dialect};
  return {};
}

std::string component_of_key(const std::string& key) {
  struct Prefix {
    const char *text, *component;
  };
  static constexpr Prefix prefixes[] = {
      {"unet.", "unet"},
      {"lora_unet_", "unet"},
      {"down_blocks.", "unet"},
      {"mid_block.", "unet"},
      {"up_blocks.", "unet"},
      {"text_encoder.", "text_encoder"},
      {"lora_te1_", "text_encoder"},
      {"lora_te_", "text_encoder"},
      {"text_encoder_2.", "text_encoder_2"},
      {"lora_te2_", "text_encoder_2"},
  };
  const std::string_view peft = "base_model.model.";
  const std::string_view name = key.starts_with(peft) ? std::string_view(key).substr(peft.size()) : std::string_view(key);
  for (const auto& prefix : prefixes)
    if (name.starts_with(prefix.text)) return prefix.component;
  return "other";
}

}  // namespace negativa
