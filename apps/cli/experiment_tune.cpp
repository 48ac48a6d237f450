#include <cstdio>

#include "environment.h"
#include "experiment_text.h"
#include "host.h"
#include "options.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

struct TuneOptions {
  Path file, out;
  std::optional<std::string> memory_budget;

  static void visit(auto& self, auto& v) {
    v("file", self.file, flag("FILE"), "the experiment's TOML, into which the choice is written");
    v("out", self.out, flag("-o,--out"), "the folder of the tuning's own run; default: runs/ and the TOML's name and -tune");
    v("memory_budget", self.memory_budget, memory_budget_help);
  }
};

}  // namespace

int run_experiment_tune(const Arguments& args) {
  TuneOptions options;
  CommonOptions common;
  Fields fields = fields_of(options);
  if (!parse_command_line({"experiment tune", "chooses among an experiment's candidates on prompts.tune by judge_select", args},
                          fields, common))
    return 0;
  if (common.print_config) {
    std::printf("%s", print_config(fields).c_str());
    return 0;
  }
  keep_models(options.memory_budget);
  use_isa(read_experiment(options.file).defaults.model.isa);
  TerminalEvents events;
  if (common.dry_run) {
    const auto forecast = forecast_experiment_tune(engine(), options.file, options.out, events, interrupt_token());
    std::printf("%s", (common.json ? json_of(forecast) : text_of(forecast)).c_str());
    return 0;
  }
  const TuneResult result = experiment_tune(engine(), options.file, options.out, events, interrupt_token());
  std::printf("%s", (common.json ? json_of(result) : text_of(result)).c_str());
  return 0;
}

}  // namespace negativa::cli
