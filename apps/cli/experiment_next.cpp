#include "jobs/experiment_next.h"

#include <cstdio>

#include "environment.h"
#include "experiment_text.h"
#include "host.h"
#include "options.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

struct NextLine {
  ExperimentNextOptions next;
  std::optional<std::string> memory_budget;
  bool json = false;

  static void visit(auto& self, auto& v) {
    ExperimentNextOptions::visit(self.next, v);
    v("memory_budget", self.memory_budget, memory_budget_help);
    v("json", self.json, "results as JSON");
  }
};

}  // namespace

int run_experiment_next(const Arguments& args) {
  NextLine line;
  Fields fields = fields_of(line);
  if (!parse_command_line(
          {"experiment next", "trains an arm's LoRA on what was rejected of its pictures, round after round", args}, fields))
    return 0;
  keep_models(line.memory_budget);
  TerminalEvents events;
  use_isa(isa_of_run(line.next.run, events));
  const ExperimentNextReport report = experiment_next(engine(), line.next, events, interrupt_token());
  std::printf("%s", (line.json ? json_of(report) : text_of(report)).c_str());
  return 0;
}

}  // namespace negativa::cli
