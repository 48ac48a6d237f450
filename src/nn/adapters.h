#pragma once
// What LoRAs and other adapters add to one request, or what training trains: an argument of forward, never a change of the model.
// y = W x + b + sum_k scale_k[row] * up_k (down_k x)       LoRA: Hu et al. 2021, arXiv:2106.09685, section 4.1
#include <memory>
#include <unordered_map>

#include "core/tensor.h"

namespace negativa::nn {

class ChangedLayers;

// What an adapter that is no product of two small matrices does to a layer. It starts from the layer's own weight, whatever other
// adapters there are. Const calls are thread-safe.
class WeightChange {
 public:
  virtual ~WeightChange() = default;
  // W' - W of the layer's weight, given in fp32 (fp64 where that is computed in), in its shape; undefined: nothing.
  virtual Tensor of_weight(const Tensor& weight) const = 0;
  // b' - b likewise.
  virtual Tensor of_bias(const Tensor& bias) const = 0;
  // How many outputs (rows of the weight) of_outputs makes at a time, or a multiple of it; 0: of_weight alone can make them.
  virtual int64_t outputs_a_part() const { return 0; }
  // of_weight's rows from `first` on, of those rows of the weight.
  virtual Tensor of_outputs(const Tensor& rows, int64_t first) const = 0;
};

struct AdapterTerm {
  Tensor down;                   // [r, in]; of a convolution [r, in, k, k], which takes the layer's stride and padding
  Tensor up;                     // [out, r]; of a convolution [out, r, 1, 1]
  std::vector<float> row_scale;  // per batch row, alpha / rank and weight already multiplied in; one entry: all rows
  std::shared_ptr<const WeightChange> change = {};  // in place of down and up
  // Of a DoRA that is trained: m [out] of W' = m (W + s up down) / |W + s up down|, the norm of each output's row (Liu et al.
  // 2024, arXiv:2402.09353). Such a term is its layer's only one and has one row_scale. One that is only used is a `change`.
  Tensor magnitude = {};
};

class Adapters {
 public:
  bool gradient_checkpointing =
      false;  // attention and feed-forward keep their inputs alone and run again when the gradient comes back

  Adapters() = default;
  // Changed weights of wide layers are kept from call to call up to `kept_bytes` together; 0: of a part that runs once.
  explicit Adapters(int64_t kept_bytes);
  void add(const std::string& layer, AdapterTerm term);
  // Terms of the layer of that full name ("mid_block.attentions.0.proj_in"); empty: none.
  const std::vector<AdapterTerm>& at(const std::string& layer) const;
  bool empty() const { return layers_.empty(); }
  const std::unordered_map<std::string, std::vector<AdapterTerm>>& layers() const { return layers_; }
  // The same adapters for a batch made of these rows only (guidance interval: positive row alone).
  Adapters rows(const std::vector<int>& indices) const;
  // The same adapters of these layers alone.
  Adapters of(const std::vector<std::string>& layers) const;
  static const Adapters& none();
  // Where layers with changed weights are kept from one call to the next; absent: no layer has any.
  ChangedLayers* changed() const { return changed_.get(); }

 private:
  std::unordered_map<std::string, std::vector<AdapterTerm>> layers_;
  std::shared_ptr<ChangedLayers> changed_;  // made by the first term; shared with what rows() and of() give
};

}  // namespace negativa::nn
