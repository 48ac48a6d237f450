#pragma once
// `negativa experiment next`: rounds of learning from what is rejected. docs/rounds.md.
#include "base/config.h"
#include "experiment/run_rounds.h"
#include "report/rounds_page.h"

namespace negativa {

struct ExperimentNextOptions {
  Path run, judge_select, toml;
  std::string reject = "judge_select", arm, caption;
  std::optional<int64_t> rounds;
  std::optional<double> share;

  static void visit(auto& self, auto& v) {
    v("run", self.run, flag("RUN"), "the run folder; its rounds lie in its folder rounds");
    v("rounds", self.rounds, range(1, 1000),
      "how many in all; default: until the last is not clearly better or worse than the one before, at most 10; with people or a "
      "folder one more");
    v("reject", self.reject,
      "what the next LoRA is trained on: people (what lost in ratings), judge_select (the worst by that judge), random (a "
      "control), "
      "or a folder of pictures");
    v("arm", self.arm, "the run's arm that goes on; default: that of its planned comparison");
    v("share", self.share, range(0.001, 1.0), "of the pictures that judge_select and random reject; default: 0.25");
    v("caption", self.caption, "text that rejects are trained on; default: that of the arm's own set");
    v("judge_select", self.judge_select, "folder of the judge that chooses; default: the run's, or the bundled one");
    v("toml", self.toml, "the experiment's TOML, where paths in it are relative to its folder");
  }
};

struct ExperimentNextReport {
  RoundsResult rounds;
  RoundsTable table;   // of these rounds
  Path page;           // RUN/rounds/rounds.html: of every way of rejecting that has rounds
  Path rounds_report;  // the ordinary report of the rounds' run
};

// The instruction set that the run was planned with, which its rounds have too. Throws as RunStore::open does.
std::string isa_of_run(const Path& run, EventSink& events);

// Throws as run_rounds and experiment_report do.
ExperimentNextReport experiment_next(Engine& engine, const ExperimentNextOptions& options, EventSink& events,
                                     const CancelToken& cancel);

}  // namespace negativa
