#pragma once
#include <algorithm>
#include <cstdint>

namespace negativa::nn::cpu {

// Grain of at::parallel_for for items of that many operations each: a thread takes no fewer, since waking it and waiting for it
// costs as much as tens of thousands of operations, and far more on a busy machine.
inline int64_t items_a_thread(int64_t operations) {
  constexpr int64_t least = 8 << 20;
  return std::max<int64_t>(1, least / std::max<int64_t>(1, operations));
}

}  // namespace negativa::nn::cpu
