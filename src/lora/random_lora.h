#pragma once
// A control for what a LoRA has learnt: of the same strength in every layer, in directions that mean nothing.
#include "lora/lora_file.h"

namespace negativa {

// Each layer gets the singular values of the source's delta W and singular vectors drawn at random: Q of the QR decomposition of
// Gaussian matrices with R's diagonal positive, which is uniform over orthonormal frames (Stewart 1980). Layers have streams of
// their own, derived from `seed` and the layer's name, so that they do not depend on each other. alpha = rank; computed in fp64,
// result in fp32, and written as that. On one intra-op thread the same bits everywhere on one machine.
std::map<std::string, std::map<std::string, LoraModule>> random_lora(const LoraFile& source, uint64_t seed);

// Singular values of alpha / rank · up · down, largest first, [rank], fp64.
Tensor singular_values(const LoraModule& module);

}  // namespace negativa
