#include "jobs/side_by_side.h"

#include <mutex>
#include <thread>

#include "core/device.h"

namespace negativa {

void side_by_side(size_t count, int workers, const CancelToken& cancel, const std::function<void(size_t)>& work) {
  std::mutex mutex;
  std::exception_ptr first_error;
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  const auto run = [&] {
    set_threads(1);  // OpenMP keeps the number of threads for each thread by itself
    for (size_t i = next++; i < count && !failed; i = next++) {
      try {
        cancel.throw_if_cancelled();
        work(i);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failed.exchange(true)) first_error = std::current_exception();
      }
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < workers && static_cast<size_t>(i) < count; ++i) others.emplace_back(run);
  run();
  for (auto& thread : others) thread.join();
  if (first_error) std::rethrow_exception(first_error);
}

}  // namespace negativa
