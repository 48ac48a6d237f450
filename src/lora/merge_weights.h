#pragma once
// What a LoRA adds to a weight, as a matrix.
#include "lora/lora_file.h"

namespace negativa {

// weight * alpha / rank * up * down, [out, in] fp32: W + delta computes what attaching does (equal to rounding).
Tensor delta(const LoraModule& module, double weight = 1);

// Frobenius norm of delta(module), from r x r matrices only: sqrt(tr(up^T up down down^T)).
double delta_norm(const LoraModule& module);

}  // namespace negativa
