#include "jobs/tokens.h"

#include <cstdio>

#include "host.h"
#include "options.h"
#include "tokens_text.h"
#include "verbs.h"

namespace negativa::cli {

namespace {
struct Options : TokensOptions {
  bool json = false;
  static void visit(auto& self, auto& v) {
    TokensOptions::visit(self, v);
    v("json", self.json, "as JSON");
  }
};
}  // namespace

int run_tokens(const Arguments& args) {
  Options options;
  Fields fields = fields_of(options);
  if (!parse_command_line({"tokens", "how a prompt is read: ids, pieces, weights", args}, fields)) return 0;
  TerminalEvents events;
  const TokensReport report = tokens(engine(), options, events, interrupt_token());
  std::printf("%s", (options.json ? json_of(report) : text_of(report)).c_str());
  return 0;
}

}  // namespace negativa::cli
