#include "interrupt.h"

#include <unistd.h>

#include <csignal>
#include <string_view>

namespace negativa::cli {

namespace {

std::atomic<CancelToken*> interrupted_token = nullptr;
static_assert(std::atomic<CancelToken*>::is_always_lock_free &&
              std::atomic<bool>::is_always_lock_free);  // a handler may use them

void on_interrupt(int signal) {
  CancelToken* token = interrupted_token.load();
  if (token && token->cancelled() && signal == SIGHUP) return;  // the system and the shell send one each
  if (!token || token->cancelled()) _exit(130);
  token->cancel();
  constexpr std::string_view message = "\nnegativa: stopping after this step; Ctrl-C again ends at once\n";
  if (::write(STDERR_FILENO, message.data(), message.size()) < 0) return;  // nobody reads it
}

}  // namespace

void install_interrupt_handler(CancelToken& token) {
  interrupted_token = &token;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  struct sigaction hangup {};
  if (::sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) ::sigaction(SIGHUP, &action, nullptr);
}

CancelToken& interrupt_token() {
  static CancelToken token;
  return token;
}

}  // namespace negativa::cli
