#pragma once
// Memory of this process, and how the C library keeps it.
#include <cstdint>

namespace negativa {

int64_t resident_bytes();   // VmRSS of /proc/self/status
int64_t available_bytes();  // MemAvailable of /proc/meminfo, and what is resident already

// While one lives, large blocks come from the system and go back to it when freed. Left alone, glibc raises the size from which
// it does so to 32 MiB after the first such block; then what is loaded shares one heap with the copies that loading makes and
// drops, whose holes cost more than int8 weights save. Not for whole pictures or steps, whose activations would ask the system
// for pages at every layer. May be nested; for models of full size.
class LargeBlocks {
 public:
  LargeBlocks();
  ~LargeBlocks();
  LargeBlocks(const LargeBlocks&) = delete;
};

// Gives freed memory back, which the heap keeps otherwise, on top of what is loaded next.
void trim_heap();

}  // namespace negativa
