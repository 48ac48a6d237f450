#include "jobs/experiment_pairs.h"

#include <cstdio>

#include "experiment_text.h"
#include "host.h"
#include "options.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

struct PairsLine {
  ExperimentPairsOptions pairs;
  bool json = false;

  static void visit(auto& self, auto& v) {
    ExperimentPairsOptions::visit(self.pairs, v);
    v("json", self.json, "results as JSON");
  }
};

}  // namespace

int run_experiment_pairs(const Arguments& args) {
  PairsLine line;
  Fields fields = fields_of(line);
  if (!parse_command_line({"experiment pairs", "which of two pictures was preferred, as JSONL for trainers", args}, fields))
    return 0;
  TerminalEvents events;
  const ExperimentPairsReport report = experiment_pairs(engine(), line.pairs, events, interrupt_token());
  std::printf("%s", (line.json ? json_of(report) : text_of(report)).c_str());
  return 0;
}

}  // namespace negativa::cli
