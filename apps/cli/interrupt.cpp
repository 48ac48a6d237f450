#include "verbs.h"

namespace negativa::cli {

CancelToken& interrupt_token() {
  static CancelToken token;
  return token;
}

}  // namespace negativa::cli
