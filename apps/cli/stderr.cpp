#include "stderr.h"

#include <unistd.h>

#include <atomic>
#include <mutex>
#include <string>

namespace negativa::cli {

namespace {
std::atomic<bool> quiet = false;
std::mutex stderr_mutex;
}  // namespace

void set_quiet(bool value) { quiet = value; }
bool is_quiet() { return quiet; }
bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }

void write_to_stderr(std::string_view text, bool clears_line) {
  std::string whole = clears_line && stderr_is_terminal() ? "\r\033[K" : "";
  whole += text;
  const std::lock_guard lock(stderr_mutex);
  if (::write(STDERR_FILENO, whole.data(), whole.size()) < 0) return;  // nobody reads it
}

}  // namespace negativa::cli
