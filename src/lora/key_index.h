#pragma once
// From a file's keys to the layers they are for: all names of all target layers (io/keys/adapter_names.h), listed once and looked
// up, never split ("to_out_0" and "proj_in" cannot be told apart once dots are underscores).
#include <unordered_map>

#include "io/keys/adapter_names.h"
#include "lora/layer_change.h"
#include "lora/lora_file.h"

namespace negativa {

// Where a key may belong.
struct LoraPlace {
  std::string component;
  const LoraTarget* target;
  std::string piece;  // "lora_down", "hada_w1_a", "alpha" …
  std::string stem;   // the key before its suffix
  LoraDialect dialect;
  bool is_sgm = false;
};

class LoraKeyIndex {
 public:
  explicit LoraKeyIndex(const LoraTargets& targets);  // keeps pointers into targets

  // peft's keys do not name the component, so the two text encoders can share a key.
  std::vector<LoraPlace> find(const std::string& key) const;

 private:
  struct Named {
    const std::string* component;
    const LoraTarget* target;
    bool is_sgm;
  };
  std::unordered_map<std::string, std::vector<Named>> layers_;  // every spelling of a layer's name
  std::vector<AdapterSuffix> suffixes_;
};

// The tensors of one layer, as found.
struct LayerPieces {
  std::string component;
  const LoraTarget* target = nullptr;
  std::map<std::string, const TensorEntry*> entries;  // by piece
  std::vector<const TensorEntry*> again;              // of a piece that is there already

  PieceShapes shapes() const;
  // The kind whose marks are there; nullptr: none, or several.
  const AdapterKind* kind() const;
  std::vector<std::string> kind_names() const;  // all whose marks are there
  bool has(const char* piece) const { return entries.contains(piece); }
  // Why they cannot be used, without the layer's name; empty: by name and shape they can.
  std::string fault() const;
};

struct SortedKeys {
  std::vector<LayerPieces> layers;        // each once, in order of component and name
  std::vector<const TensorEntry*> unfit;  // fit no layer by name
  std::map<std::string, int> matched;     // component -> keys
  std::map<LoraDialect, int> dialects;    // -> keys
  std::vector<std::string> superseded;    // layers whose tensors under SGM's names do not count, since diffusers' are there too
};
SortedKeys sort_keys(const TensorFile& file, const LoraKeyIndex& index);

// Keys of the file that fit no layer, by name or by shape; 0: the file is for such a model.
int64_t count_unfit_keys(const TensorFile& file, const LoraKeyIndex& index);

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

}  // namespace negativa
