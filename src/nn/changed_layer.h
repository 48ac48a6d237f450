#pragma once
// Layers whose weight is another one for some rows of a batch, because of adapters that change it (AdapterTerm::change).
#include <any>
#include <functional>
#include <mutex>

#include "nn/layers.h"

namespace negativa::nn {

// What was made of layers and adapters, to be used again at the next step: all of small layers (they have packed weights), of
// wide ones as much as `limit` bytes hold in all such stores of the process; the rest is made at every call. An entry is good as
// long as the layer's weight is the very tensor it was made of. Thread-safe.
class ChangedLayers {
 public:
  static constexpr int64_t limit_bytes = int64_t{2} << 30;
  explicit ChangedLayers(int64_t limit = limit_bytes) : limit_(limit) {}
  ~ChangedLayers();
  ChangedLayers(const ChangedLayers&) = delete;
  ChangedLayers& operator=(const ChangedLayers&) = delete;

  // Absent: not kept.
  std::any find(const std::string& key, const Tensor& weight) const;
  // `bytes` of it count towards the limit (0: it is kept in any case).
  void keep(const std::string& key, const Tensor& weight, std::any layer, int64_t bytes);
  // Room for a changed weight, in x's dtype: where it will not be kept, that of the last such one if nobody holds it any more.
  // Fresh memory costs a page fault every 4 KiB, a seventh of a step of SDXL.
  Tensor memory_like(const Tensor& weight, const Tensor& x);

 private:
  struct Entry {
    c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl> made_of;
    std::any layer;
  };
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
  int64_t limit_, bytes_ = 0;
  Tensor spare_;
};

// Neighbouring rows of a batch that a layer treats alike.
struct Rows {
  int64_t begin = 0, count = -1;  // -1: all

  Tensor of(const Tensor& x) const { return count < 0 || !x.defined() ? x : x.narrow(0, begin, count); }
};

// Of a convolution up to that many numbers the products would cost too much beside the layer itself, and its changed weight is
// soon made: on the miniature rank 16 apart takes a fifth of a step. SDXL's wide ones take 3 % with rank 16.
constexpr int64_t small_weight = int64_t{1} << 20;
// Products beside a layer of up to that many numbers cost as much as a seventh of it, its changed weight is soon made. Where the
// rows of a batch have other scales the changed weights would split the batch, which costs more.
constexpr int64_t small_linear = int64_t{1} << 18;

enum class Products {
  apart,     // down and up are left to the caller
  in_weight  // they become part of the weight as well
};

template <class Layer>
using LayerForward = std::function<Tensor(const Layer&, const Rows&)>;

// forward of the layer as its adapters leave it, for all rows at once where they are treated alike, else for each by itself.
// Layer is Linear, Conv2d, GroupNorm or LayerNorm. Throws ErrorKind::shape for scales that do not fit the batch.
template <class Layer>
Tensor with_changes(const Layer& layer, const Tensor& x, const Adapters& adapters, Products products,
                    const LayerForward<Layer>& forward);

// What changed weights of a part take while these adapters live, computed in elements of so many bytes: of small layers, and of
// wide ones before the limit.
struct ChangedBytes {
  int64_t small = 0, wide = 0, widest = 0;
};
ChangedBytes changed_bytes(const Adapters& adapters, const std::map<std::string, Shape>& weights, int64_t element_bytes);

bool is_uniform(const std::vector<float>& scale);
void check_rows(const std::vector<float>& scale, const Tensor& x);

}  // namespace negativa::nn
