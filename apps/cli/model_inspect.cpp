#include <cstdio>

#include "host.h"
#include "jobs/inspect_model.h"
#include "model_text.h"
#include "options.h"
#include "verbs.h"

namespace negativa::cli {

namespace {
struct Options : ModelInspectOptions {
  bool json = false;
  static void visit(auto& self, auto& v) {
    ModelInspectOptions::visit(self, v);
    v("json", self.json, "as JSON");
  }
};
}  // namespace

int run_model_inspect(const Arguments& args) {
  Options options;
  Fields fields = fields_of(options);
  if (!parse_command_line({"model inspect", "parts, parameters, sizes, dtypes and hashes of a model", args}, fields)) return 0;
  TerminalEvents events;
  const ModelReport report = model_inspect(engine(), options, events, interrupt_token());
  std::printf("%s\n", (options.json ? json_of(report) : text_of(report)).c_str());
  return 0;
}

}  // namespace negativa::cli
