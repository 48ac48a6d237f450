#pragma once
// Loops over single values, which the compiler makes vector code of in the width of the instruction set it compiles for.
#include "nn/isa/vector.h"

namespace negativa::nn::cpu {
namespace {

// To the nearest integer, ties to even; |x| < 2^22. Before SSE4.1 there is no instruction for it, and a float of 1.5 * 2^23 has
// no fraction.
NEGATIVA_INLINE float nearest(float x) {
#if defined(__SSE2__) && !defined(__SSE4_1__)
  return (x + 0x1.8p23f) - 0x1.8p23f;
#else
  return __builtin_nearbyintf(x);
#endif
}

// Where exp_fast ends: values that the compiler does not know. Else it computes what follows for the ends as well and picks, and
// x / (1 + exp(88)) is subnormal, which takes a hundred cycles.
struct ExpRange {
  float low = -87.0f, high = 88.0f;
};
NEGATIVA_INLINE ExpRange exp_range() {
  ExpRange range;
  asm("" : "+m"(range));
  return range;
}

// exp of x in that range, 2 ulp: 2^n times a polynomial of the rest (Cephes, expf). Branch-free, so loops over it become vector
// code.
NEGATIVA_INLINE float exp_fast(float x, const ExpRange& range) {
  x = x < range.low ? range.low : x;
  x = range.high < x ? range.high : x;
  const float n = nearest(x * 1.44269504088896341f);
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // The lowest bits of so large a float are the integer; unlike a conversion, that is defined for NaN, whose result p already is.
  const float shifted = n + 0x1.8p23f;
  uint32_t bits;
  __builtin_memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 127) << 23;
  float power;
  __builtin_memcpy(&power, &bits, sizeof power);
  return p * power;
}

NEGATIVA_INLINE float silu(float x, const ExpRange& range) { return x / (1.0f + exp_fast(-x, range)); }

// x Phi(x), Phi by Abramowitz & Stegun 7.1.26: absolute error of erf below 1.5e-7.
NEGATIVA_INLINE float gelu(float x, const ExpRange& range) {
  const float z = __builtin_fabsf(x) * 0.70710678118654752f;
  const float t = 1.0f / (1.0f + 0.3275911f * z);
  const float poly = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
  const float tail = 0.5f * poly * exp_fast(-z * z, range);  // 1 - Phi(|x|)
  return x * (x < 0 ? tail : 1.0f - tail);
}

template <class Set>
void channel_sums(const float* x, const float* shift, int64_t rows, int64_t channels, float* sum, float* square) {
  for (int64_t c = 0; c < channels; ++c) sum[c] = square[c] = 0;
  for (int64_t row = 0; row < rows; ++row, x += channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      const float d = x[c] - shift[c];
      sum[c] += d;
      square[c] += d * d;
    }
  }
}

template <class Set>
void scale_rows(const float* x, const float* scale, const float* shift, int64_t rows, int64_t channels, float* y) {
  for (int64_t row = 0; row < rows; ++row, x += channels, y += channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) y[c] = x[c] * scale[c] + shift[c];
  }
}

template <class Set>
void scale_rows_silu(const float* x, const float* scale, const float* shift, int64_t rows, int64_t channels, float* y) {
  const ExpRange range = exp_range();
  for (int64_t row = 0; row < rows; ++row, x += channels, y += channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) y[c] = silu(x[c] * scale[c] + shift[c], range);
  }
}

template <class Set>
void geglu_row(const float* x, int64_t n, float* y) {
  const ExpRange range = exp_range();
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * gelu(x[n + i], range);
}

template <class Set>
void scale_int8(const int8_t* x, float scale, int64_t n, float* y) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = scale * static_cast<float>(x[i]);
}

// Three passes over values that stay in the first-level cache.
template <class Set>
void normalise_rows(const float* x, const float* weight, const float* bias, int64_t rows, int64_t width, float eps, float* y) {
  const float share = 1.0f / static_cast<float>(width);
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    float sum = 0, square = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < width; ++i) sum += x[i];
    const float mean = sum * share;
#pragma omp simd reduction(+ : square)
    for (int64_t i = 0; i < width; ++i) square += (x[i] - mean) * (x[i] - mean);
    const float inverse = 1.0f / __builtin_sqrtf(square * share + eps);
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) y[i] = (x[i] - mean) * inverse * weight[i] + bias[i];
  }
}

}  // namespace
}  // namespace negativa::nn::cpu
