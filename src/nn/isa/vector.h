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

}  // namespace
}  // namespace negativa::nn::cpu
