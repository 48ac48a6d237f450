#pragma once
// Every kernel for one instruction set. Set: the lanes of its registers and how many vectors its 16 or 32 registers hold beside a
// kernel's operands. It lies in an unnamed namespace, so that what is made of it has internal linkage.
#include "nn/isa/attend.h"
#include "nn/isa/pointwise.h"
#include "nn/isa/product.h"
#include "nn/isa/winograd.h"

namespace negativa::nn::cpu {
namespace {

template <class Set>
constexpr Kernels all_kernels() {
  return {.channel_sums = channel_sums<Set>,
          .scale_rows = scale_rows<Set>,
          .scale_rows_silu = scale_rows_silu<Set>,
          .geglu_row = geglu_row<Set>,
          .normalise_rows = normalise_rows<Set>,
          .scale_int8 = scale_int8<Set>,
          .attend = attend<Set>,
          .transform_weights = transform_weights<Set>,
          .transform_input = transform_input<Set>,
          .transform_output = transform_output<Set>,
          .multiply = multiply<Set>};
}

}  // namespace
}  // namespace negativa::nn::cpu
