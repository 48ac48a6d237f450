#pragma once
// Binds a benchmark's kernels to what ATEN_CPU_CAPABILITY leaves, as `--isa auto` does the program's; the libraries read their
// own variables.
#include <algorithm>
#include <cstdlib>

#include "core/isa.h"

namespace negativa {

inline void bind_isa() {
  const char* given = std::getenv("ATEN_CPU_CAPABILITY");
  if (!given || !*given) return;
  const std::string name = given;
  choose_isa(std::min(isa_from_name(name == "default" ? "baseline" : name), machine_isa()));
}

}  // namespace negativa
