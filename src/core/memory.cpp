#include "core/memory.h"

#include <malloc.h>

#include <atomic>

#include "base/proc.h"

namespace negativa {

namespace {

std::atomic<int> depth{0};

}  // namespace

int64_t resident_bytes() { return static_cast<int64_t>(bytes_after("/proc/self/status", "VmRSS")); }
int64_t available_bytes() { return static_cast<int64_t>(bytes_after("/proc/meminfo", "MemAvailable")) + resident_bytes(); }

LargeBlocks::LargeBlocks() {
  if (depth++ == 0) mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

LargeBlocks::~LargeBlocks() {
  if (--depth > 0) return;
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // what glibc's own rule comes to
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

void trim_heap() { malloc_trim(0); }

}  // namespace negativa
