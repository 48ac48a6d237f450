#pragma once
// One-line notices on stderr; results go to stdout elsewhere.
#include <fmt/format.h>

#include <string_view>

namespace negativa::cli {

void set_quiet(bool quiet);  // of this process (--quiet): notices and progress are not shown
bool is_quiet();
bool stderr_is_terminal();

// Writes text to stderr at once, whole, whatever other threads write. With `clears_line` a progress bar on that line is erased
// first.
void write_to_stderr(std::string_view text, bool clears_line = false);

// "negativa: …" unless quiet.
template <class... Args>
void notice(fmt::format_string<Args...> format, Args&&... args) {
  if (!is_quiet()) write_to_stderr("negativa: " + fmt::format(format, std::forward<Args>(args)...) + "\n", true);
}

}  // namespace negativa::cli
