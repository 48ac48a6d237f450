#include "nn/cast_weight.h"

#include <c10/core/InferenceMode.h>

namespace negativa::nn {

namespace {

constexpr int64_t large = 256 << 10;  // elements

Tensor in_own_memory(const Tensor& stored, const Tensor& like) {
  thread_local Tensor memory;
  const bool fits = memory.defined() && memory.scalar_type() == like.scalar_type() && memory.numel() >= stored.numel() &&
                    memory.storage().use_count() == 1;
  if (!fits) {
    const c10::InferenceMode off(false);  // written to inside that mode and outside it
    memory = at::empty({stored.numel()}, like.options());
  }
  return memory.as_strided(stored.sizes(), stored.strides()).copy_(stored);
}

Tensor cast(const Tensor& stored, const Tensor& like) {
  if (stored.scalar_type() == like.scalar_type() && stored.device() == like.device()) return stored;
  const bool is_large = stored.is_cpu() && like.is_cpu() && stored.numel() >= large && stored.is_non_overlapping_and_dense();
  return is_large ? in_own_memory(stored, like) : stored.to(like.options());
}

}  // namespace

Tensor cast_weight(const Tensor& stored, const Tensor& scale, const Tensor& like) {
  if (!scale.defined()) return cast(stored, like);
  Shape per_row(stored.dim(), 1);
  per_row[0] = -1;
  return cast(stored, like).mul_(cast(scale, like).view(per_row));
}

}  // namespace negativa::nn
