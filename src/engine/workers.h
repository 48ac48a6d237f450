#pragma once
// The threads of an engine. Small work, such as pictures of a small model, runs side by side with one intra-op thread each; large
// work runs one at a time with many, and both at once. Requests take turns: each idle worker takes the next piece of the request
// that has waited longest.
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "base/cancel.h"

namespace negativa {

struct WorkShare {
  size_t pieces = 1;
  int workers = 1;  // at most so many at once
  int threads = 1;  // intra-op threads of each; more than one: large work
};

// Safe to use from several threads.
class Workers {
 public:
  Workers() = default;
  ~Workers();  // after the last run() has returned
  Workers(const Workers&) = delete;

  // Calls work(i) for each piece on the workers and waits for all. The first error stops the rest and is thrown here; `cancel` is
  // asked before each piece. Not from within a piece of large work, which would wait for itself.
  void run(const WorkShare& share, const CancelToken& cancel, const std::function<void(size_t)>& work);

 private:
  struct Request;
  struct Lane {  // workers of one kind
    std::vector<std::thread> threads;
    std::list<Request*> requests;
    std::condition_variable ready;
  };
  void serve(Lane& lane);
  static Request* next_request(Lane& lane);

  std::mutex mutex_;
  bool ends_ = false;
  Lane small_, large_;
};

}  // namespace negativa
