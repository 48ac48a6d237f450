#pragma once
#include <cstdint>

// A function compiled for AVX-512, AVX2 and plain x86-64; the CPU picks when the program starts.
#define NEGATIVA_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))

namespace negativa::nn::cpu {

constexpr int64_t lanes = 16;  // of the vectors such functions work on, which are split up where the CPU has narrower ones
using Lanes = float __attribute__((vector_size(lanes * sizeof(float)), aligned(alignof(float)), may_alias));

}  // namespace negativa::nn::cpu
