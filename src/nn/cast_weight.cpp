#include "nn/cast_weight.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include "nn/isa/kernels.h"

namespace negativa::nn {

namespace {

constexpr int64_t large = 256 << 10;  // elements

// Shaped as `stored`, in memory of the calling thread that the next call writes to again unless somebody holds it.
Tensor own_memory(const Tensor& stored, const Tensor& like) {
  thread_local Tensor memory;
  const bool fits = memory.defined() && memory.scalar_type() == like.scalar_type() && memory.numel() >= stored.numel() &&
                    memory.storage().use_count() == 1;
  if (!fits) {
    const c10::InferenceMode off(false);  // written to inside that mode and outside it
    memory = at::empty({stored.numel()}, like.options());
  }
  return memory.as_strided(stored.sizes(), stored.strides());
}

bool is_large(const Tensor& stored, const Tensor& like) {
  return stored.is_cpu() && like.is_cpu() && stored.numel() >= large && stored.is_non_overlapping_and_dense();
}

// Whether each row, an output channel's weights, lies in one piece, in whatever order.
bool has_whole_rows(const Tensor& stored) {
  return stored.dim() > 0 && stored.size(0) > 0 && stored.stride(0) == stored.numel() / stored.size(0);
}

// In one pass over the memory instead of two.
Tensor from_int8(const Tensor& stored, const Tensor& scale, const Tensor& like) {
  Tensor weight = own_memory(stored, like);
  const int64_t rows = stored.size(0), width = stored.numel() / rows;
  const auto* source = stored.const_data_ptr<int8_t>();
  const auto* scales = scale.const_data_ptr<float>();
  auto* target = weight.mutable_data_ptr<float>();
  at::parallel_for(0, rows, std::max<int64_t>(1, large / 8 / width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      cpu::kernels().scale_int8(source + row * width, scales[row], width, target + row * width);
  });
  return weight;
}

Tensor cast(const Tensor& stored, const Tensor& like) {
  if (stored.scalar_type() == like.scalar_type() && stored.device() == like.device()) return stored;
  return is_large(stored, like) ? own_memory(stored, like).copy_(stored) : stored.to(like.options());
}

}  // namespace

Tensor cast_weight(const Tensor& stored, const Tensor& scale, const Tensor& like) {
  if (!scale.defined()) return cast(stored, like);
  const bool is_plain = stored.scalar_type() == at::kChar && scale.scalar_type() == at::kFloat && scale.is_contiguous() &&
                        like.scalar_type() == at::kFloat;
  if (is_plain && is_large(stored, like) && has_whole_rows(stored)) return from_int8(stored, scale, like);
  Shape per_row(stored.dim(), 1);
  per_row[0] = -1;
  return cast(stored, like).mul_(cast(scale, like).view(per_row));
}

}  // namespace negativa::nn
