// 32 registers of 16 floats. Eight rows of two vectors are enough for full speed, and eight divides the row counts of pictures.
#include "nn/isa/all_kernels.h"

namespace negativa::nn::cpu {

namespace {
struct Avx512 {
  static constexpr int lanes = 16, attend_vectors = 1, attend_rows = 8, product_vectors = 2, product_rows = 8;
};
}  // namespace

constexpr Kernels avx512_kernels = all_kernels<Avx512>();

}  // namespace negativa::nn::cpu
