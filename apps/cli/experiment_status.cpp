#include <cstdio>

#include "experiment_text.h"
#include "host.h"
#include "options.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

struct StatusOptions {
  Path run;
  bool json = false;

  static void visit(auto& self, auto& v) {
    v("run", self.run, flag("RUN"), "the run folder");
    v("json", self.json, "results as JSON");
  }
};

struct DiffOptions {
  Path first, second;
  bool json = false;

  static void visit(auto& self, auto& v) {
    v("first", self.first, flag("RUN_A"), "a run folder");
    v("second", self.second, flag("RUN_B"), "another");
    v("json", self.json, "results as JSON");
  }
};

}  // namespace

int run_experiment_status(const Arguments& args) {
  StatusOptions options;
  Fields fields = fields_of(options);
  if (!parse_command_line({"experiment status", "how far a run has come", args}, fields)) return 0;
  check(!options.run.empty(), ErrorKind::input, "[experiment status] a run folder is needed; try runs/demo");
  TerminalEvents events;
  const RunStatus status = experiment_status(engine(), options.run, events, interrupt_token());
  std::printf("%s", (options.json ? json_of(status) : text_of(status)).c_str());
  return 0;
}

// As diff: 0 for equal runs, 1 for runs that differ.
int run_experiment_diff(const Arguments& args) {
  DiffOptions options;
  Fields fields = fields_of(options);
  if (!parse_command_line({"experiment diff", "whether two runs have the same pictures, LoRAs and metrics, byte for byte", args},
                          fields))
    return 0;
  check(!options.first.empty() && !options.second.empty(), ErrorKind::input,
        "[experiment diff] two run folders are needed; try runs/demo runs/demo-again");
  TerminalEvents events;
  const RunDifference difference = experiment_diff(engine(), options.first, options.second, events, interrupt_token());
  std::printf("%s", (options.json ? json_of(difference) : text_of(difference)).c_str());
  return difference.equal() ? 0 : 1;
}

}  // namespace negativa::cli
