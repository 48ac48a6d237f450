#pragma once
// Weights in fp8 with a scale beside each, as ComfyUI writes them: the weight is the stored number times its scale.
//   X.scale_weight, X.weight_scale   of X.weight: one number, or one per output channel
//   X.scale_input, X.input_scale     for products that round their inputs to fp8 too; inputs are not rounded here
//   scaled_fp8                       marks a part whose weights are scaled
//   X.comfy_quant                    JSON in bytes, {"format": "float8_e4m3fn"}
// Source: ComfyUI, comfy/ops.py (scaled_fp8_ops, mixed_precision_ops).
#include <map>
#include <set>
#include <string>

#include "io/tensor_file.h"

namespace negativa {

class Fp8Scales {
 public:
  // By names, shapes and number formats alone, but for the few bytes of "comfy_quant". Throws ErrorKind::file_format for a scale
  // of a weight that is not fp8, of another size, or of another format than fp8.
  explicit Fp8Scales(const TensorFile& file);

  bool takes(const std::string& key) const { return taken_.contains(key); }  // a tensor that is no weight
  // The tensor by which the one called `weight` is multiplied; "": none.
  std::string of(const std::string& weight) const;

 private:
  std::map<std::string, std::string> scales_;  // weight -> scale
  std::set<std::string> taken_;
};

}  // namespace negativa
