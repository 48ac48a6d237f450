#pragma once
// The same work on many things, one a worker.
#include <functional>

#include "base/cancel.h"

namespace negativa {

// Calls work(i) for each i below count on that many threads, each with one intra-op thread. The first error stops all and is
// thrown here; `cancel` is asked before each.
void side_by_side(size_t count, int workers, const CancelToken& cancel, const std::function<void(size_t)>& work);

}  // namespace negativa
