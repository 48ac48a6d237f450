#pragma once
// Work on a thread of its own, so that the caller's thread keeps its number of intra-op threads.
#include <exception>
#include <optional>
#include <thread>
#include <type_traits>

#include "core/device.h"

namespace negativa {

// Calls function() on a new thread that has that many intra-op threads, and waits for it. What it throws is thrown here.
template <class Function>
auto on_own_thread(int threads, Function&& function) {
  using Result = std::invoke_result_t<Function>;
  std::optional<std::conditional_t<std::is_void_v<Result>, bool, Result>> result;
  std::exception_ptr error;
  std::thread thread([&] {
    try {
      set_threads(threads);
      if constexpr (std::is_void_v<Result>)
        function();
      else
        result.emplace(function());
    } catch (...) {
      error = std::current_exception();
    }
  });
  thread.join();
  if (error) std::rethrow_exception(error);
  if constexpr (!std::is_void_v<Result>) return std::move(*result);
}

}  // namespace negativa
