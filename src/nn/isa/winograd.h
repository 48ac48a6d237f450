#pragma once
// The transforms of F(2x2, 3x3): see cpu_winograd.cpp.
#include "nn/isa/kernels.h"
#include "nn/isa/vector.h"

namespace negativa::nn::cpu {
namespace {

template <class Set>
void transform_input(const float* const* pixels, int64_t channels, float* target, int64_t stride) {
  constexpr int lanes = Set::lanes;
  static_assert(channels_a_step % lanes == 0);
  for (int64_t c = 0; c < channels; c += lanes) {
    Vector<lanes> t[4][4];
#pragma GCC unroll 4
    for (int x = 0; x < 4; ++x) {
      const Vector<lanes> d0 = *vector_at<lanes>(pixels[x] + c), d1 = *vector_at<lanes>(pixels[4 + x] + c),
                          d2 = *vector_at<lanes>(pixels[8 + x] + c), d3 = *vector_at<lanes>(pixels[12 + x] + c);
      t[0][x] = d0 - d2;
      t[1][x] = d1 + d2;
      t[2][x] = d2 - d1;
      t[3][x] = d1 - d3;
    }
#pragma GCC unroll 4
    for (int y = 0; y < 4; ++y) {
      float* row = target + 4 * y * stride + c;
      *vector_at<lanes>(row) = t[y][0] - t[y][2];
      *vector_at<lanes>(row + stride) = t[y][1] + t[y][2];
      *vector_at<lanes>(row + 2 * stride) = t[y][2] - t[y][1];
      *vector_at<lanes>(row + 3 * stride) = t[y][1] - t[y][3];
    }
  }
}

template <class Set>
void transform_output(const float* source, int64_t stride, const float* bias, const float* const* residual, int64_t channels,
                      float* const* out) {
  constexpr int lanes = Set::lanes;
  for (int64_t c = 0; c < channels; c += lanes) {
    Vector<lanes> t[2][4];
#pragma GCC unroll 4
    for (int x = 0; x < 4; ++x) {
      const float* m = source + x * stride + c;
      const Vector<lanes> m1 = *vector_at<lanes>(m + 4 * stride), m2 = *vector_at<lanes>(m + 8 * stride);
      t[0][x] = *vector_at<lanes>(m) + m1 + m2;
      t[1][x] = m1 - m2 - *vector_at<lanes>(m + 12 * stride);
    }
#pragma GCC unroll 2
    for (int y = 0; y < 2; ++y) {
      const Vector<lanes> b = *vector_at<lanes>(bias + c);
      *vector_at<lanes>(out[2 * y] + c) = t[y][0] + t[y][1] + t[y][2] + (b + *vector_at<lanes>(residual[2 * y] + c));
      *vector_at<lanes>(out[2 * y + 1] + c) = t[y][1] - t[y][2] - t[y][3] + (b + *vector_at<lanes>(residual[2 * y + 1] + c));
    }
  }
}

}  // namespace
}  // namespace negativa::nn::cpu
