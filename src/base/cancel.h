#pragma once
// Stopping a computation from outside: another thread, or a signal handler.
#include <atomic>

namespace negativa {

class CancelToken {
 public:
  void cancel() { cancelled_.store(true); }
  bool cancelled() const { return cancelled_.load(); }
  void throw_if_cancelled() const;  // ErrorKind::cancelled

 private:
  std::atomic<bool> cancelled_ = false;
};

}  // namespace negativa
