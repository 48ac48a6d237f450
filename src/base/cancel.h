#pragma once
// Stopping a computation from outside: another thread, or Ctrl-C.
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

// The first SIGINT or SIGTERM cancels the token, which must live as long as the program; the second ends the program at once with
// exit code 130. SIGHUP, of a terminal that is closed, cancels too, unless it is ignored (nohup).
void install_interrupt_handler(CancelToken& token);

}  // namespace negativa
