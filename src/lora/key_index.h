#pragma once
// From a file's key to the layer it is for: all spellings of all target layers in all dialects, listed once and looked up, never
// split
// ("to_out_0" and "proj_in" cannot be told apart once dots are underscores).
#include <unordered_map>

#include "lora/lora_file.h"

namespace negativa {

struct LoraPlace {
  std::string component;
  const LoraTarget* target;
  LoraSide side;
  LoraDialect dialect;
};

class LoraKeyIndex {
 public:
  explicit LoraKeyIndex(const LoraTargets& targets);  // keeps pointers into targets

  // Where the tensor of that key belongs; nullptr: nowhere. peft's keys do not name the component, so the two text encoders can
  // share a key: the shape decides.
  const LoraPlace* find(const TensorEntry& entry) const;

 private:
  void add(const std::string& key, LoraPlace place);
  std::unordered_map<std::string, std::vector<LoraPlace>> places_;
};

// Keys of the file that fit no layer, by name or by shape; 0: the file is for such a model.
int64_t count_unfit_keys(const SafetensorsFile& file, const LoraKeyIndex& index);

// The shape as a matrix: [r,in,1,1], a linear layer stored as a 1x1 convolution, is [r,in].
Shape matrix_shape(const Shape& shape);

// The part of a key before ".lora_down.weight", ".lora.up.weight", ".lora_A.weight" …, and which side it is; absent for other
// keys. Only for telling what a file holds that no model is known for.
struct LoraKeyParts {
  std::string stem;
  LoraSide side;
  LoraDialect dialect;
};
std::optional<LoraKeyParts> lora_key_parts(const std::string& key);

// "unet", "text_encoder", "text_encoder_2", or "other".
std::string component_of_key(const std::string& key);

}  // namespace negativa
