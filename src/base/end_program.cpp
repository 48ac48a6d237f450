#include "base/end_program.h"

#include <cstdio>
#include <cstdlib>

namespace negativa {

void end_program(int exit_code) {
  std::fflush(nullptr);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::exit(exit_code);
#else
  std::_Exit(exit_code);
#endif
}

}  // namespace negativa
