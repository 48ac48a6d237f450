#pragma once
// Every name that trainers give an adapter's tensors: a prefix, a layer's name in one of several styles, a suffix. Each is listed
// once, and every combination is read; a key is looked up in these lists, never split. Sources: docs/formats.md, "Names".
#include <string>
#include <vector>

#include "io/keys/key_pairs.h"
#include "io/keys/lora_names.h"

namespace negativa {

struct AdapterPrefix {
  const char* text;       // "lora_unet_"
  const char* component;  // "unet"; nullptr: whichever has a layer of that name
  LoraDialect dialect;    // which of the dialects that are written is nearest
};
const std::vector<AdapterPrefix>& adapter_prefixes();

struct LayerName {
  std::string text;     // "input_blocks_4_1_proj_in"
  bool is_sgm = false;  // numbers the blocks as SGM does
};

// The spellings of our layer names within one component: diffusers' and SGM's blocks, with dots and with underscores, attention
// processors', with and without "text_model.". The layout numbers SGM's blocks.
class LayerNames {
 public:
  explicit LayerNames(const UNetLayout& layout);
  std::vector<LayerName> of(const std::string& component, const std::string& layer) const;

 private:
  KeyMap sgm_;
};

// What follows the layer's name of tensors that trainers call by several names.
struct AdapterSuffix {
  const char* text;   // ".lora_A.weight"
  const char* piece;  // "lora_down": what it is to us
};
const std::vector<AdapterSuffix>& adapter_suffixes();

// "….lora_A.default.weight" -> "….lora_A.weight": peft's state dicts carry the adapter's name inside the key.
std::string without_adapter_name(const std::string& key);

// "unet", "text_encoder", "text_encoder_2" by the key's prefix, or "other".
std::string component_of_key(const std::string& key);

}  // namespace negativa
