#include "engine/workers.h"

#include <algorithm>
#include <exception>

#include "core/device.h"

namespace negativa {

struct Workers::Request {
  const WorkShare share;
  const CancelToken& cancel;
  const std::function<void(size_t)>& work;
  size_t next = 0;  // piece
  int running = 0;
  std::exception_ptr error = {};
  std::condition_variable changed = {};

  bool has_more() const { return !error && next < share.pieces; }
  bool is_waiting() const { return has_more() && running < share.workers; }
  bool is_done() const { return !has_more() && running == 0; }
};

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  for (Lane* lane : {&small_, &large_}) {
    lane->ready.notify_all();
    for (auto& thread : lane->threads) thread.join();
  }
}

void Workers::run(const WorkShare& share, const CancelToken& cancel, const std::function<void(size_t)>& work) {
  Request request{share, cancel, work};
  std::unique_lock lock(mutex_);
  Lane& lane = share.threads > 1 ? large_ : small_;
  const size_t needed = share.threads > 1 ? 1 : std::min(share.pieces, static_cast<size_t>(share.workers));
  while (lane.threads.size() < needed) lane.threads.emplace_back([this, &lane] { serve(lane); });
  lane.requests.push_back(&request);
  lane.ready.notify_all();
  request.changed.wait(lock, [&] { return request.is_done(); });
  lane.requests.remove(&request);
  if (request.error) std::rethrow_exception(request.error);
}

// The first that waits goes to the end of the line.
Workers::Request* Workers::next_request(Lane& lane) {
  const auto found = std::find_if(lane.requests.begin(), lane.requests.end(), [](const Request* r) { return r->is_waiting(); });
  if (found == lane.requests.end()) return nullptr;
  lane.requests.splice(lane.requests.end(), lane.requests, found);
  return *found;
}

void Workers::serve(Lane& lane) {
  std::unique_lock lock(mutex_);
  for (;;) {
    Request* request = nullptr;
    lane.ready.wait(lock, [&] { return (request = next_request(lane)) || ends_; });
    if (!request) return;
    const size_t piece = request->next++;
    ++request->running;
    lock.unlock();
    std::exception_ptr error;
    try {
      request->cancel.throw_if_cancelled();
      set_threads(request->share.threads);
      request->work(piece);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error && !request->error) request->error = error;
    --request->running;
    request->changed.notify_all();  // it may end now, and is gone once the lock is given up
    lane.ready.notify_all();        // another worker may take its place
  }
}

}  // namespace negativa
