#pragma once
// `negativa experiment`: the jobs of an experiment. docs/experiments.md.
#include "experiment/forecast_experiment.h"
#include "experiment/run_experiment.h"
#include "experiment/tune_experiment.h"
#include "jobs/experiment_report.h"
#include "runs/run_difference.h"
#include "runs/run_status.h"

namespace negativa {

struct ExperimentRunOptions {
  Path file, out;
  std::optional<std::string> shard;
  bool wait = false, update = false;
  std::optional<double> budget;

  static void visit(auto& self, auto& v) {
    v("file", self.file, flag("FILE"), "the experiment's TOML");
    v("out", self.out, flag("-o,--out"), "the run folder; default: runs/ and the TOML's name");
    v("shard", self.shard, "i/n: takes only every n-th cell, from the i-th (from 0); default: the rank under mpirun and srun");
    v("wait", self.wait, "waits for the cells of other shards instead of leaving what needs them; always under mpirun and srun");
    v("update", self.update, "takes a TOML over that differs from the one the run folder began with");
    v("budget", self.budget, range(0.0, 1e7), unit("minutes"), "say what a time limit would leave out, then stop");
  }
};

struct ExperimentRunRequest {
  ExperimentRunOptions options;
  Shard shard;  // of --shard, or of the program's surroundings
};

struct ExperimentRunReport {
  ExperimentResult run;
  Path page;                               // empty: nothing is measured yet, or another rank writes it
  std::optional<ExperimentReport> report;  // where the page was written anew
};
// Writes the run's page at the end, by the first rank, where anything was made or there is none.
ExperimentRunReport experiment_run(Engine& engine, const ExperimentRunRequest& request, EventSink& events,
                                   const CancelToken& cancel);

// What --dry-run and --budget tell.
ExperimentForecast forecast_experiment_run(Engine& engine, const ExperimentRunRequest& request, EventSink& events,
                                           const CancelToken& cancel);

// Runs in runs/NAME-tune beside the working folder's other runs, or in `out`.
TuneResult experiment_tune(Engine& engine, const Path& file, const Path& out, EventSink& events, const CancelToken& cancel);
ExperimentForecast forecast_experiment_tune(Engine& engine, const Path& file, const Path& out, EventSink& events,
                                            const CancelToken& cancel);

RunStatus experiment_status(Engine& engine, const Path& folder, EventSink& events, const CancelToken& cancel);
RunDifference experiment_diff(Engine& engine, const Path& first, const Path& second, EventSink& events,
                              const CancelToken& cancel);

// "i/n". Throws ErrorKind::input.
Shard parse_shard(const std::string& text, bool waits);

}  // namespace negativa
