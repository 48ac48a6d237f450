#pragma once
// What an adapter other than a plain LoRA does to one layer: its kind, and its own tensors as the file has them.
#include <functional>

#include "core/device.h"
#include "lora/lora_target.h"
#include "nn/adapters.h"

namespace negativa {

using Pieces = std::map<std::string, Tensor>;      // "hada_w1_a" -> fp32
using PieceShapes = std::map<std::string, Shape>;  // as in the file

struct AdapterKind;

// DoRA (Liu et al. 2024, arXiv:2402.09353): W' = m (W + dW) / |W + dW|, the norm of each output's row or of each input's column.
struct Magnitude {
  Tensor values;  // [out] or [in], fp32
  bool per_input = false;
};

class LayerChange : public nn::WeightChange {
 public:
  const AdapterKind* kind = nullptr;
  LoraTarget target;
  Pieces pieces;
  Tensor bias;       // b' - b [out]; undefined: none
  double alpha = 0;  // the file's; of a kind without a scale what the kind takes it for
  double scale = 1;  // of the kind's change: alpha / rank, times the file's scalar
  int64_t rank = 0;  // 0: the kind has none
  std::optional<Magnitude> magnitude;
  std::optional<DType> stored;  // of the file it was read from; absent: several

  Tensor of_weight(const Tensor& weight) const override;
  Tensor of_bias(const Tensor& bias) const override;
  int64_t outputs_a_part() const override;
  Tensor of_outputs(const Tensor& rows, int64_t first) const override;
  // Whether it is another change for another weight.
  bool needs_weight() const;
  // As a person knows it: "DoRA", "LoHa with DoRA".
  std::string name() const;
};

// One way to change a weight. To add one: a file in lora/kinds and a line in kinds.cpp.
struct AdapterKind {
  const char* name;
  std::vector<std::string> pieces;  // the names of its tensors: what follows the layer's name in a key
  std::vector<std::string> marks;   // a layer that has one of these is of this kind
  bool needs_weight = false;
  bool takes_magnitude = false;
  // Why tensors of these shapes cannot be those of the layer; empty: they can.
  std::string (*fault)(const PieceShapes&, const LoraTarget&);
  int64_t (*rank)(const PieceShapes&);                         // alpha / rank is the scale; 0: it has none
  Tensor (*change)(const LayerChange&, const Tensor& weight);  // at scale 1, in the weight's shape and dtype
  // The tensors of `count` outputs from `first` on alone; nullptr: the change is made as a whole.
  Pieces (*of_outputs)(const LayerChange&, int64_t first, int64_t count) = nullptr;
  int64_t (*outputs_a_part)(const LayerChange&) = nullptr;  // `first` and `count` are multiples of it; nullptr: of 1
  // Why the tensors' values cannot be those of the layer, where shapes do not tell; nullptr: they always do.
  std::string (*value_fault)(const LayerChange&) = nullptr;
};

const std::vector<const AdapterKind*>& adapter_kinds();
const AdapterKind& lora_kind();        // a LoRA as a kind: the one that plain LoRAs are not kept as
const AdapterKind& difference_kind();  // of weights, norms and biases

// The kinds' messages: "down is [2, 4], expected [rank, 8]".
std::string misshapen(const char* piece, const Shape& got, const std::string& expected);

}  // namespace negativa
