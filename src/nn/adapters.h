#pragma once
// What LoRAs add to one request, or what training trains: an argument of forward, never a change of the model.
// y = W x + b + sum_k scale_k[row] * up_k (down_k x)       LoRA: Hu et al. 2021, arXiv:2106.09685, section 4.1
#include <unordered_map>

#include "core/tensor.h"

namespace negativa::nn {

struct AdapterTerm {
  Tensor down;                   // [r, in]
  Tensor up;                     // [out, r]
  std::vector<float> row_scale;  // per batch row, alpha / rank and weight already multiplied in; one entry: all rows
};

class Adapters {
 public:
  bool gradient_checkpointing =
      false;  // attention and feed-forward keep their inputs alone and run again when the gradient comes back

  void add(const std::string& layer, AdapterTerm term);
  // Terms of the layer of that full name ("mid_block.attentions.0.proj_in"); empty: none.
  const std::vector<AdapterTerm>& at(const std::string& layer) const;
  bool empty() const { return layers_.empty(); }
  const std::unordered_map<std::string, std::vector<AdapterTerm>>& layers() const { return layers_; }
  // The same adapters for a batch made of these rows only (guidance interval: positive row alone).
  Adapters rows(const std::vector<int>& indices) const;
  static const Adapters& none();

 private:
  std::unordered_map<std::string, std::vector<AdapterTerm>> layers_;
};

}  // namespace negativa::nn
