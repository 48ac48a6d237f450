#include "jobs/lora_inspect.h"

#include <cstdio>

#include "host.h"
#include "lora_inspect_text.h"
#include "options.h"
#include "verbs.h"

namespace negativa::cli {

namespace {
struct Options : LoraInspectOptions {
  bool json = false;
  static void visit(auto& self, auto& v) {
    LoraInspectOptions::visit(self, v);
    v("json", self.json, "as JSON");
  }
};
}  // namespace

int run_lora_inspect(const Arguments& args) {
  Options options;
  Fields fields = fields_of(options);
  if (!parse_command_line({"lora inspect", "what is in a LoRA file and whether it fits a model", args}, fields)) return 0;
  TerminalEvents events;
  const LoraReport report = lora_inspect(engine(), options, events, interrupt_token());
  std::printf("%s\n", (options.json ? json_of(report) : text_of(report)).c_str());
  return 0;
}

}  // namespace negativa::cli
