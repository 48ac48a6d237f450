#include <cstdio>

#include "environment.h"
#include "experiment_text.h"
#include "host.h"
#include "options.h"
#include "stderr.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

struct RunLine {
  ExperimentRunOptions run;
  std::optional<std::string> memory_budget;
  std::string isa = "auto";

  static void visit(auto& self, auto& v) {
    ExperimentRunOptions::visit(self.run, v);
    v("memory_budget", self.memory_budget, memory_budget_help);
    v("isa", self.isa, choices({"auto", "baseline", "avx2", "avx512"}), isa_help);
  }
};

}  // namespace

int run_experiment_run(const Arguments& args) {
  RunLine line;
  CommonOptions common;
  Fields fields = fields_of(line);
  if (!parse_command_line(
          {"experiment run", "draws, trains and measures what an experiment's TOML asks for and is missing", args}, fields,
          common))
    return 0;
  const auto& options = line.run;
  ExperimentRunRequest request{options,
                               options.shard ? parse_shard(*options.shard, options.wait) : shard_of_environment(options.wait)};
  if (common.print_config) {
    std::printf("%s%s", print_config(fields).c_str(), print_experiment(read_experiment(options.file)).c_str());
    return 0;
  }
  keep_models(line.memory_budget);
  use_isa(line.isa == "auto" ? read_experiment(options.file).defaults.model.isa : line.isa);
  TerminalEvents events;
  if (common.dry_run || options.budget) {
    const ExperimentForecast forecast = forecast_experiment_run(engine(), request, events, interrupt_token());
    std::printf("%s", (common.json ? json_of(forecast) : text_of(forecast)).c_str());
    return 0;
  }
  const ExperimentRunReport report = experiment_run(engine(), request, events, interrupt_token());
  std::printf("%s", (common.json ? json_of(report) : text_of(report)).c_str());
  notice("peak memory {:.2f} GiB", static_cast<double>(peak_memory_bytes()) / double(1 << 30));
  return 0;
}

}  // namespace negativa::cli
