#pragma once
// Vectors of the compiler's extension. For the sources of this folder alone: all code here has internal linkage, so that each
// instruction set keeps its own.
#include <cstdint>

#define NEGATIVA_INLINE inline __attribute__((always_inline))

namespace negativa::nn::cpu {
namespace {

// Of a float's alignment, which clang forgets where the attribute stands behind the type and where a reference to one is taken:
// they are passed by pointer.
template <int lanes>
struct VectorOf {
  using type __attribute__((vector_size(lanes * sizeof(float)), aligned(alignof(float)), may_alias)) = float;
  using bits __attribute__((vector_size(lanes * sizeof(float)), aligned(alignof(float)), may_alias)) = int32_t;
};
template <int lanes>
using Vector = typename VectorOf<lanes>::type;
static_assert(alignof(Vector<4>) == alignof(float));

template <int lanes>
NEGATIVA_INLINE const Vector<lanes>* vector_at(const float* elements) {
  return reinterpret_cast<const Vector<lanes>*>(elements);
}
template <int lanes>
NEGATIVA_INLINE Vector<lanes>* vector_at(float* elements) {
  return reinterpret_cast<Vector<lanes>*>(elements);
}

// The lanes 0 to n - 1.
template <int... lane>
struct LaneList {};
template <int n, int... lane>
struct LanesBelow : LanesBelow<n - 1, n - 1, lane...> {};
template <int... lane>
struct LanesBelow<0, lane...> {
  using type = LaneList<lane...>;
};

// Of blocks of `size` lanes *a gets the even ones of both, in turn, and *b the odd ones.
template <int size, int... lane>
NEGATIVA_INLINE void exchange(LaneList<lane...>, Vector<sizeof...(lane)>* a, Vector<sizeof...(lane)>* b) {
  constexpr int lanes = sizeof...(lane);
  const Vector<lanes> first = *a, second = *b;
  *a = __builtin_shufflevector(first, second, ((lane & size) ? lanes + lane - size : lane)...);
  *b = __builtin_shufflevector(first, second, ((lane & size) ? lanes + lane : lane + size)...);
}

// Transposes as many vectors as they have lanes: in every 2x2 of blocks of 1 lane, then of 2, 4 and 8, two change places.
template <int lanes, int size = 1>
NEGATIVA_INLINE void transpose(Vector<lanes>* square) {
#pragma GCC unroll 16
  for (int i = 0; i < lanes; ++i)
    if (!(i & size)) exchange<size>(typename LanesBelow<lanes>::type(), &square[i], &square[i + size]);
  if constexpr (2 * size < lanes) transpose<lanes, 2 * size>(square);
}

}  // namespace
}  // namespace negativa::nn::cpu
