#pragma once
// `negativa experiment report`: the page of a run folder, rebuilt from its records alone. docs/experiments.md, "The report".
#include "base/config.h"
#include "engine/engine.h"
#include "report/analysis.h"
#include "report/people.h"

namespace negativa {

struct ExperimentReportOptions {
  Path run, keep, toml;
  bool sheets = false;

  static void visit(auto& self, auto& v) {
    v("run", self.run, flag("RUN"), "the run folder; its page is report.html in it");
    v("keep", self.keep, "a copy of the page to this file: a sample of pictures within, nothing linked, at most 10 MB");
    v("sheets", self.sheets, "labelled contact sheets too, as PNG in the run folder's folder sheets");
    v("toml", self.toml, "the experiment's TOML, beside which test_runs.jsonl counts the runs that looked at the test prompts");
  }
};

struct ExperimentReport {
  TableOfArms table;
  PeopleVerdict people;       // of ratings.jsonl
  Path page;                  // report.html
  std::vector<Path> written;  // all files, the page first
  size_t pictures = 0;        // that the page shows
  double seconds = 0;
};

// Throws ErrorKind::input for what is no run folder or has no plan yet, file_format for a damaged plan, machine (disk full),
// cancelled. Cells that are missing or damaged are told on the page and in table.faults.
ExperimentReport experiment_report(Engine& engine, const ExperimentReportOptions& options, EventSink& events,
                                   const CancelToken& cancel);

}  // namespace negativa
