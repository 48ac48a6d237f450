#pragma once
// Attention with few keys and narrow heads. As many queries are worked on together as some vectors have lanes, one a lane: sums
// and extremes over keys need no shuffling.
#include "nn/isa/kernels.h"
#include "nn/isa/vector.h"

namespace negativa::nn::cpu {
namespace {

// Element (r, i) of rows x depth is at[r * to_row + i * to_column].
struct Strided {
  const float* at;
  int64_t rows, depth, to_row, to_column;
};

// What goes along with sums. Of scores: the least and the greatest of each lane's, and keys and values come into the cache that
// are wanted soon, the values of these keys and the keys of the next head, which lie beside: each reading of a head's would
// otherwise wait for a line of its own.
template <int lanes, int vectors>
struct ScoreRange {
  const float *next_key, *value;
  int64_t stride, dim;
  Vector<lanes> least[vectors], top[vectors];

  NEGATIVA_INLINE void begin(int rows) {
    constexpr int64_t line = 16;
    for (int r = 0; r < rows; ++r, next_key += stride, value += stride)
      for (int64_t d = 0; d < dim; d += line) {
        __builtin_prefetch(next_key + d);
        __builtin_prefetch(value + d);
      }
  }

  NEGATIVA_INLINE void see(int v, const Vector<lanes>* score) {
    least[v] = *score < least[v] ? *score : least[v];
    top[v] = *score > top[v] ? *score : top[v];
  }
};
struct Nothing {
  NEGATIVA_INLINE void begin(int) {}
  NEGATIVA_INLINE void see(int, const void*) {}
};

// sums[r] = sum over i of scalars(r, i) * operands[i], for n rows, whose sums stay in registers and share each operand. Operands
// and sums are groups of some vectors.
template <int lanes, int vectors, int n, class Watch>
NEGATIVA_INLINE void sums_of(const Strided& scalars, const Vector<lanes>* operands, Vector<lanes>* sums, Watch* watch) {
  Vector<lanes> a[n][vectors]{};
  const float* at = scalars.at;
  watch->begin(n);
  for (int64_t i = 0; i < scalars.depth; ++i, at += scalars.to_column, operands += vectors) {
#pragma GCC unroll 8
    for (int r = 0; r < n; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) a[r][v] += at[r * scalars.to_row] * operands[v];
  }
#pragma GCC unroll 8
  for (int r = 0; r < n; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      sums[r * vectors + v] = a[r][v];
      watch->see(v, &a[r][v]);
    }
}

// The same for any number of rows: n at a time, then those that are left.
template <int lanes, int vectors, int n, class Watch>
NEGATIVA_INLINE void all_sums(Strided scalars, const Vector<lanes>* operands, Vector<lanes>* sums, Watch* watch) {
  for (; scalars.rows >= n; scalars.rows -= n, scalars.at += n * scalars.to_row, sums += n * vectors)
    sums_of<lanes, vectors, n>(scalars, operands, sums, watch);
  if constexpr (n > 1) all_sums<lanes, vectors, n - 1>(scalars, operands, sums, watch);
}

// Makes of scores that exponentials cannot take, for they lie far apart or are no fractions any more, their distances from the
// greatest, down to one whose exponential is as good as zero.
template <int lanes, int vectors>
NEGATIVA_INLINE void tame(Vector<lanes>* scores, int64_t keys, ScoreRange<lanes, vectors>* range) {
  const Vector<lanes> zero{}, widest = zero + 124.0f, farthest = zero + 0x1p20f;
  typename VectorOf<lanes>::bits wild{};
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v)
    wild |= (range->top[v] - range->least[v] > widest) | (range->top[v] > farthest) | (range->top[v] < -farthest);
  int32_t is_wild = 0;
#pragma GCC unroll 16
  for (int i = 0; i < lanes; ++i) is_wild |= wild[i];
  if (!is_wild) return;
  for (int64_t j = 0; j < keys; ++j)
    for (int v = 0; v < vectors; ++v) {
      const Vector<lanes> distance = scores[j * vectors + v] - range->top[v];
      scores[j * vectors + v] = distance < -widest ? -widest : distance;
    }
  for (int v = 0; v < vectors; ++v) range->top[v] = zero;
}

// 2^(score - n) over the keys, for each lane by itself, n the integer nearest to the greatest score; their sums go to *sum. 2
// ulp: 2 to the nearest integer, which is added to the exponent, times a polynomial of the rest, whose greatest relative error is
// 9.1e-8 there (fitted with its first coefficient 1).
template <int lanes, int vectors>
NEGATIVA_INLINE void exponentials(Vector<lanes>* scores, int64_t keys, const ScoreRange<lanes, vectors>& range,
                                  Vector<lanes>* sum) {
  using Bits = typename VectorOf<lanes>::bits;
  constexpr float no_fraction = 0x1.8p23f;  // a float this large has none, and its lowest bits are the integer
  Vector<lanes> total[vectors]{}, to_integer[vectors];
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) to_integer[v] = no_fraction - ((range.top[v] + no_fraction) - no_fraction);
  for (int64_t j = 0; j < keys; ++j)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      const Vector<lanes> score = scores[j * vectors + v], integer = score + to_integer[v];
      const Vector<lanes> r = score - (integer - to_integer[v]), r2 = r * r;
      const Vector<lanes> high = r * 1.3264727124e-3f + 9.6715126448e-3f, middle = r * 5.5507337435e-2f + 2.4022242085e-1f;
      const Vector<lanes> p = (high * r2 + middle) * r2 + (r * 6.9314697760e-1f + 1.0f);
      const Bits power = reinterpret_cast<Bits>(p) + (reinterpret_cast<Bits>(integer) << 23);
      scores[j * vectors + v] = reinterpret_cast<Vector<lanes>>(power);
      total[v] += reinterpret_cast<Vector<lanes>>(power);
    }
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) sum[v] = total[v];
}

// columns[d * width + i] = scale * rows[i][d], d < dim, i < width.
template <int lanes, int width>
NEGATIVA_INLINE void to_columns(const float* const* rows, int64_t dim, float scale, float* columns) {
  int64_t d = 0;
  for (; d + lanes <= dim; d += lanes)
    for (int first = 0; first < width; first += lanes) {
      Vector<lanes> square[lanes];
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) square[i] = *vector_at<lanes>(rows[first + i] + d);
      transpose<lanes>(square);
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) *vector_at<lanes>(columns + (d + i) * width + first) = scale * square[i];
    }
  for (; d < dim; ++d)
    for (int i = 0; i < width; ++i) columns[d * width + i] = scale * rows[i][d];
}

// rows[i][d] = columns[d * width + i] / sum[i], d < dim, i < width.
template <int lanes, int width>
NEGATIVA_INLINE void to_rows(const float* columns, int64_t dim, const Vector<lanes>* sum, float* const* rows) {
  Vector<lanes> share[width / lanes];
#pragma GCC unroll 4
  for (int v = 0; v < width / lanes; ++v) share[v] = 1.0f / sum[v];
  int64_t d = 0;
  for (; d + lanes <= dim; d += lanes)
    for (int first = 0; first < width; first += lanes) {
      Vector<lanes> square[lanes];
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) square[i] = *vector_at<lanes>(columns + (d + i) * width + first) * share[first / lanes];
      transpose<lanes>(square);
#pragma GCC unroll 16
      for (int i = 0; i < lanes; ++i) *vector_at<lanes>(rows[first + i] + d) = square[i];
    }
  for (; d < dim; ++d)
    for (int i = 0; i < width; ++i) rows[i][d] = columns[d * width + i] * share[i / lanes][i % lanes];
}

template <class Set>
void attend(const Head& h, float* scratch) {
  constexpr int lanes = Set::lanes, vectors = Set::attend_vectors, rows = Set::attend_rows, width = lanes * vectors;
  static_assert(width <= queries_a_step);
  Vector<lanes>* scores = vector_at<lanes>(scratch);
  const float scale = 1.44269504088896341f / __builtin_sqrtf(static_cast<float>(h.dim));  // exp(x) = 2^(x log2(e))
  alignas(64) float queries[widest_head * width], sums[widest_head * width];
  for (int64_t first = 0; first < h.queries; first += width) {
    const float* query[width];
    float* out[width];
    for (int64_t i = 0; i < width; ++i) {  // the last stands for those beyond it
      const int64_t at = (first + i < h.queries ? first + i : h.queries - 1) * h.stride;
      query[i] = h.q + at;
      out[i] = h.out + at;
    }
    to_columns<lanes, width>(query, h.dim, scale, queries);
    ScoreRange<lanes, vectors> range{
        .next_key = h.k + h.dim, .value = h.v, .stride = h.stride, .dim = h.dim, .least = {}, .top = {}};
    for (int v = 0; v < vectors; ++v) range.least[v] = Vector<lanes>{} + __builtin_inff(), range.top[v] = -range.least[v];
    all_sums<lanes, vectors, rows>({h.k, h.keys, h.dim, h.stride, 1}, vector_at<lanes>(queries), scores, &range);
    tame<lanes, vectors>(scores, h.keys, &range);
    Vector<lanes> total[vectors];
    exponentials<lanes, vectors>(scores, h.keys, range, total);
    Nothing nothing;
    all_sums<lanes, vectors, rows>({h.v, h.dim, h.keys, 1, h.stride}, scores, vector_at<lanes>(sums), &nothing);
    to_rows<lanes, width>(sums, h.dim, total, out);
  }
}

}  // namespace
}  // namespace negativa::nn::cpu
