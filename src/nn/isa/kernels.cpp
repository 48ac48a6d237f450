#include "nn/isa/kernels.h"

#include "core/isa.h"

namespace negativa::nn::cpu {

const Kernels& kernels_of([[maybe_unused]] Isa isa) {
#ifdef NEGATIVA_X86_KERNELS
  if (isa == Isa::avx512) return avx512_kernels;
  if (isa == Isa::avx2) return avx2_kernels;
#endif
  return baseline_kernels;
}

const Kernels& kernels() {
  static const Kernels& chosen = kernels_of(active_isa());
  return chosen;
}

}  // namespace negativa::nn::cpu
