// 16 registers of 4 floats, without fused multiply-adds where this is x86-64.
#include "nn/isa/all_kernels.h"

namespace negativa::nn::cpu {

namespace {
struct Baseline {
  static constexpr int lanes = 4, attend_vectors = 2, attend_rows = 4, product_vectors = 4, product_rows = 2;
};
}  // namespace

constexpr Kernels baseline_kernels = all_kernels<Baseline>();

}  // namespace negativa::nn::cpu
