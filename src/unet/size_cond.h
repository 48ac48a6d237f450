#pragma once
// The sizes SDXL is told of a picture. Source: Podell et al. 2023, arXiv:2307.01952, section 2.2.
#include "core/tensor.h"

namespace negativa {

struct SizePx {
  int64_t height = 0, width = 0;
  bool operator==(const SizePx&) const = default;
};

// crop_top_left: (top, left). target_size: of the picture that is drawn or trained on.
struct SizeCond {
  SizePx original_size, crop_top_left, target_size;
};

// One row of add_time_ids, [6] fp32: the three pairs, height first; [5] for a model that takes an aesthetic score instead of the
// target size.
Tensor time_ids(const SizeCond& sizes, int64_t count = 6, double aesthetic_score = 6);

}  // namespace negativa
