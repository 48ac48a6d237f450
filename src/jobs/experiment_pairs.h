#pragma once
// `negativa experiment pairs`: preferences as JSONL, for trainers. docs/rating.md, "Pairs for training".
#include "base/config.h"
#include "engine/engine.h"
#include "image/events.h"

namespace negativa {

struct ExperimentPairsOptions {
  Path run, out;
  std::string arms, source = "all";

  static void visit(auto& self, auto& v) {
    v("run", self.run, flag("RUN"), "the run folder");
    v("out", self.out, flag("-o,--out"), "the file: a JSON object a line, pictures as paths from its folder");
    v("arms", self.arms, "two or more, as nothing,article; default: what people rated, and the planned comparison's");
    v("source", self.source, choices({"all", "people", "judge"}),
      "whose verdicts; all: the judge's on pairs that no person judged");
  }
};

struct ExperimentPairsReport {
  Path file;
  size_t people = 0, judge = 0;  // pairs written
  size_t ties = 0;               // left out
};

// Throws ErrorKind::input for what preference_pairs refuses and where no pair has a winner, machine (disk full). The file is
// written whole or not at all.
ExperimentPairsReport experiment_pairs(Engine& engine, const ExperimentPairsOptions& options, EventSink& events,
                                       const CancelToken& cancel);

}  // namespace negativa
