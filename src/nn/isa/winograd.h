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

// G g G^T of one input channel's kernels, an output channel a lane. g: their nine taps; target + i * stride: position i.
template <int lanes>
NEGATIVA_INLINE void transform_kernel(const Vector<lanes>* const* g, float* target, int64_t stride) {
  Vector<lanes> t[4][3];
#pragma GCC unroll 4
  for (int x = 0; x < 3; ++x) {
    const Vector<lanes> first = *g[x], last = *g[6 + x], ends = (first + last) * 0.5f, middle = *g[3 + x] * 0.5f;
    t[0][x] = first;
    t[1][x] = ends + middle;
    t[2][x] = ends - middle;
    t[3][x] = last;
  }
#pragma GCC unroll 4
  for (int y = 0; y < 4; ++y) {
    const Vector<lanes> ends = (t[y][0] + t[y][2]) * 0.5f, middle = t[y][1] * 0.5f;
    float* row = target + 4 * y * stride;
    *vector_at<lanes>(row) = t[y][0];
    *vector_at<lanes>(row + stride) = ends + middle;
    *vector_at<lanes>(row + 2 * stride) = ends - middle;
    *vector_at<lanes>(row + 3 * stride) = t[y][2];
  }
}

template <class Set>
void transform_weights(const float* weight, int64_t to_next, int64_t channels, float* target, int64_t stride) {
  constexpr int lanes = Set::lanes, parts = panel_width / lanes, taps = 9;
  static_assert(channels_a_step % lanes == 0);
  for (int64_t c = 0; c < channels; c += lanes) {
    Vector<lanes> squares[parts][taps][lanes];  // [output channels, tap, input channel]
    for (int part = 0; part < parts; ++part)
      for (int tap = 0; tap < taps; ++tap) {
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i)
          squares[part][tap][i] = *vector_at<lanes>(weight + (part * lanes + i) * to_next + tap * channels + c);
        transpose<lanes>(squares[part][tap]);
      }
    for (int i = 0; i < lanes; ++i)
      for (int part = 0; part < parts; ++part) {
        const Vector<lanes>* g[taps];
#pragma GCC unroll 9
        for (int tap = 0; tap < taps; ++tap) g[tap] = &squares[part][tap][i];
        transform_kernel<lanes>(g, target + (c + i) * panel_width + part * lanes, stride);
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
