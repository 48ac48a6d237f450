// 16 registers of 8 floats.
#include "nn/isa/all_kernels.h"

namespace negativa::nn::cpu {

namespace {
struct Avx2 {
  static constexpr int lanes = 8, attend_vectors = 2, attend_rows = 6, product_vectors = 2, product_rows = 6;
};
}  // namespace

constexpr Kernels avx2_kernels = all_kernels<Avx2>();

}  // namespace negativa::nn::cpu
