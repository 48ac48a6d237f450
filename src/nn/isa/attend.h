#pragma once
// Attention with few keys and narrow heads. As many queries are worked on together as some vectors have lanes, one a lane: sums
// and maxima over keys need no shuffling.
#include "nn/isa/kernels.h"
#include "nn/isa/vector.h"

namespace negativa::nn::cpu {
namespace {

// sums[r] = sum over i of scalars[r * row + i * column] * operands[i], for n values of r, whose sums stay in registers and share
// each operand. Operands and sums are groups of some vectors.
template <int lanes, int vectors, int n>
NEGATIVA_INLINE void sums_of(const float* scalars, int64_t row, int64_t column, const Vector<lanes>* operands, int64_t count,
                             Vector<lanes>* sums) {
  Vector<lanes> a[n][vectors]{};
  for (int64_t i = 0; i < count; ++i, scalars += column, operands += vectors) {
#pragma GCC unroll 8
    for (int r = 0; r < n; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) a[r][v] += scalars[r * row] * operands[v];
  }
#pragma GCC unroll 8
  for (int r = 0; r < n; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sums[r * vectors + v] = a[r][v];
}

// The same for any number of sums: n at a time, then fewer for the rest.
template <int lanes, int vectors, int n>
NEGATIVA_INLINE void all_sums(const float* scalars, int64_t row, int64_t column, const Vector<lanes>* operands, int64_t count,
                              Vector<lanes>* sums, int64_t rows) {
  int64_t r = 0;
  for (; r + n <= rows; r += n) sums_of<lanes, vectors, n>(scalars + r * row, row, column, operands, count, sums + r * vectors);
  if constexpr (n > 1)
    all_sums<lanes, vectors, n / 2>(scalars + r * row, row, column, operands, count, sums + r * vectors, rows - r);
}

// exp_fast of each lane, for values of 0 and less.
template <int lanes>
NEGATIVA_INLINE void exp_lanes(Vector<lanes>* lanes_of_x) {
  using Bits = typename VectorOf<lanes>::bits;
  constexpr float to_integer = 0x1.8p23f;  // a float this large has no fraction, and its lowest bits are the integer
  const Vector<lanes> least = Vector<lanes>{} - 87.0f, x = *lanes_of_x < least ? least : *lanes_of_x;
  Vector<lanes> n = x * 1.44269504088896341f + to_integer;
  const Bits power_bits = (reinterpret_cast<Bits>(n) + 127) << 23;
  n -= to_integer;
  const Vector<lanes> r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  Vector<lanes> p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  *lanes_of_x = p * reinterpret_cast<Vector<lanes>>(power_bits);
}

// Softmax over the keys, for each lane by itself, not divided by the sums, which go to *sum.
template <int lanes, int vectors>
NEGATIVA_INLINE void exponentials(Vector<lanes>* scores, int64_t keys, Vector<lanes>* sum) {
  Vector<lanes> top[vectors], total[vectors]{};
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) top[v] = scores[v];
  for (int64_t j = 1; j < keys; ++j)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      const Vector<lanes> score = scores[j * vectors + v];
      top[v] = score > top[v] ? score : top[v];
    }
  for (int64_t j = 0; j < keys; ++j)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      Vector<lanes> s = scores[j * vectors + v] - top[v];
      exp_lanes<lanes>(&s);
      scores[j * vectors + v] = s;
      total[v] += s;
    }
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) sum[v] = total[v];
}

template <class Set>
void attend(const Head& h, float* scratch) {
  constexpr int lanes = Set::lanes, vectors = Set::attend_vectors, rows = Set::attend_rows;
  constexpr int64_t width = lanes * vectors;
  static_assert(width <= queries_a_step);
  Vector<lanes>* scores = vector_at<lanes>(scratch);
  const float scale = 1.0f / __builtin_sqrtf(static_cast<float>(h.dim));
  alignas(64) float queries[widest_head * width], sums[widest_head * width];
  for (int64_t first = 0; first < h.queries; first += width) {
    const int64_t count = h.queries - first < width ? h.queries - first : width;
    for (int64_t i = 0; i < width; ++i) {
      const float* q = h.q + (first + (i < count ? i : count - 1)) * h.stride;
      for (int64_t d = 0; d < h.dim; ++d) queries[d * width + i] = q[d] * scale;
    }
    all_sums<lanes, vectors, rows>(h.k, h.stride, 1, vector_at<lanes>(queries), h.dim, scores, h.keys);
    Vector<lanes> total[vectors];
    exponentials<lanes, vectors>(scores, h.keys, total);
    all_sums<lanes, vectors, rows>(h.v, 1, h.stride, scores, h.keys, vector_at<lanes>(sums), h.dim);
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      const Vector<lanes> share = 1.0f / total[v];
      for (int64_t d = 0; d < h.dim; ++d) vector_at<lanes>(sums)[d * vectors + v] *= share;
    }
    for (int64_t i = 0; i < count; ++i) {
      float* out = h.out + (first + i) * h.stride;
      for (int64_t d = 0; d < h.dim; ++d) out[d] = sums[d * width + i];
    }
  }
}

}  // namespace
}  // namespace negativa::nn::cpu
