#pragma once
// Seeded random numbers. Randomness is an argument: every function that draws takes a Generator, one a picture.
#include "core/tensor.h"

namespace negativa {

// torch's CPU generator (mt19937): draws equal those of torch.Generator("cpu").manual_seed(seed).
class Generator {
 public:
  explicit Generator(uint64_t seed);

  // Standard normal fp32 numbers, shape as given. One call = one draw of diffusers' randn_tensor.
  Tensor randn(const Shape& shape);
  // Integers in [0, high), int64.
  Tensor randint(int64_t high, const Shape& shape);

 private:
  at::Generator generator_;
};

}  // namespace negativa
