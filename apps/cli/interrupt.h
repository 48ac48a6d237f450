#pragma once
// Ctrl-C.
#include "base/cancel.h"

namespace negativa::cli {

// The first SIGINT or SIGTERM cancels the token, which must live as long as the program; the second ends the program at once with
// exit code 130. SIGHUP, of a terminal that is closed, cancels too, unless it is ignored (nohup).
void install_interrupt_handler(CancelToken& token);

// The program's own, which verbs hand to what they run.
CancelToken& interrupt_token();

}  // namespace negativa::cli
