#pragma once
// The product beneath linear layers and convolutions on packed weights.
#include "nn/isa/kernels.h"
#include "nn/isa/vector.h"

namespace negativa::nn::cpu {
namespace {

// sum = start + bias at a column; zeros beyond the last.
template <int lanes>
NEGATIVA_INLINE void begin_sum(const Product& p, int64_t row, int64_t column, Vector<lanes>* sum) {
  const float *start = p.start[row] + column, *bias = p.bias + column;
  if (column + lanes <= p.width) {
    *sum = *vector_at<lanes>(start) + *vector_at<lanes>(bias);
    return;
  }
  *sum = Vector<lanes>{};
  for (int64_t i = 0; column + i < p.width; ++i) (*sum)[i] = start[i] + bias[i];
}

template <int lanes>
NEGATIVA_INLINE void store_sum(const Product& p, int64_t row, int64_t column, const Vector<lanes>* sum) {
  float* out = p.out + row * p.width + column;
  if (column + lanes <= p.width) {
    *vector_at<lanes>(out) = *sum;
    return;
  }
  for (int64_t i = 0; column + i < p.width; ++i) out[i] = (*sum)[i];
}

// height rows by vectors * lanes columns from (row, column) on, whose sums stay in registers over all parts.
template <int lanes, int vectors, int height, bool packed>
NEGATIVA_INLINE void tile(const Product& p, int64_t row, int64_t column) {
  Vector<lanes> sums[height][vectors];
  const float* weights[vectors];
  const int64_t panel = packed ? p.parts * p.depth * panel_width : panel_width, stride = packed ? panel_width : p.row_stride;
  const int64_t to_next = panel * lanes * vectors / panel_width;  // a CPU's own prefetching stops at each page
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) {
    const int64_t at = column + v * lanes;
    weights[v] = p.weights + at / panel_width * panel + at % panel_width;
#pragma GCC unroll 8
    for (int r = 0; r < height; ++r) begin_sum<lanes>(p, row + r, at, &sums[r][v]);
  }
  for (int64_t part = 0; part < p.parts; ++part) {
    const float* sources[height];
#pragma GCC unroll 8
    for (int r = 0; r < height; ++r) sources[r] = p.sources[part * p.rows + row + r];
    for (int64_t i = 0; i < p.depth; ++i) {
      Vector<lanes> w[vectors];
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) {
        w[v] = *vector_at<lanes>(weights[v] + i * stride);
        if (v * lanes % panel_width == 0) __builtin_prefetch(weights[v] + i * stride + to_next);  // a cache line
      }
#pragma GCC unroll 8
      for (int r = 0; r < height; ++r)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; ++v) sums[r][v] += sources[r][i] * w[v];
    }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) weights[v] += p.depth * stride;
  }
#pragma GCC unroll 8
  for (int r = 0; r < height; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) store_sum<lanes>(p, row + r, column + v * lanes, &sums[r][v]);
}

// Rows from `row` on in tiles of that height, then in lower ones for the rest; in two lower ones where these fit and a high one
// would leave some rows over: a tile of two rows waits for its sums.
template <int lanes, int vectors, int height, bool packed>
NEGATIVA_INLINE void all_rows(const Product& p, int64_t row, int64_t column) {
  constexpr int lower = height > 4 ? 4 : height / 2;
  constexpr int64_t two_lower = 2 * lower > height ? 2 * lower : -1;
  for (; row + height <= p.rows && p.rows - row != two_lower; row += height) tile<lanes, vectors, height, packed>(p, row, column);
  if constexpr (height > 1) all_rows<lanes, vectors, lower, packed>(p, row, column);
}

// Tiles as wide as some panels; half as wide where the last of them is missing. Their sums, their vectors of weights and a source
// fill the registers.
template <class Set, bool packed>
NEGATIVA_INLINE void all_columns(const Product& p) {
  constexpr int lanes = Set::lanes, vectors = Set::product_vectors, height = Set::product_rows;
  constexpr int64_t step = lanes * vectors;
  int64_t column = 0;
  for (; column + step - panel_width < p.width; column += step) all_rows<lanes, vectors, height, packed>(p, 0, column);
  if (column < p.width) all_rows<lanes, vectors / 2, height, packed>(p, 0, column);
}

template <class Set>
void multiply(const Product& p) {
  if (p.row_stride == 0) return all_columns<Set, true>(p);
  all_columns<Set, false>(p);
}

}  // namespace
}  // namespace negativa::nn::cpu
