#pragma once
// The one exception type of the program. Caught in two places only: the CLI's main and the web route wrapper.
#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace negativa {

// What went wrong, as far as a caller acts on it. The CLI's exit codes follow: cancelled 130; device and machine 1; all others 2.
enum class ErrorKind { input, file_format, missing_key, shape, device, machine, cancelled };

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

// Throws Error. Messages are one line: "[where] got X, expected Y; what to try".
template <class... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void check(bool condition, ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) fail(kind, format, std::forward<Args>(args)...);
}

}  // namespace negativa
