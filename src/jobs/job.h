#pragma once
// What every job begins with.
#include <utility>

#include "core/own_thread.h"
#include "image/events.h"

namespace negativa {

// Calls work(caller) on a thread of its own, with one intra-op thread: the caller's thread keeps its number, and the last bits of
// small products do not follow it. Events come one at a time, each notice once.
template <class Work>
auto as_job(EventSink& sink, const CancelToken& cancel, Work&& work) {
  RequestEvents events(sink);
  return on_own_thread(1, [&] { return work(Caller{events, cancel}); });
}

}  // namespace negativa
