#include "lora/merge_weights.h"

#include <algorithm>
#include <cmath>

namespace negativa {

Tensor delta(const LoraModule& module, double weight) { return at::mm(module.up, module.down).mul_(weight * module.scale()); }

double delta_norm(const LoraModule& module) {
  const Tensor down = module.down.to(at::kDouble), up = module.up.to(at::kDouble);
  const double square = (at::mm(up.t(), up) * at::mm(down, down.t())).sum().item<double>();
  return std::abs(module.scale()) * std::sqrt(std::max(square, 0.0));  // rounding can leave -1e-20
}

}  // namespace negativa
