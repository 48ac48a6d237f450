#pragma once
// The report: one self-contained HTML file of a run folder. docs/experiments.md, "The report".
#include "report/analysis.h"
#include "report/people.h"

namespace negativa {

struct PageOptions {
  bool keep = false;                // a copy by itself: a sample of pictures within, nothing linked, at most most_kept_bytes
  std::optional<size_t> test_runs;  // how often the test prompts were looked at; absent: the caller does not know
  std::string calibration_json;     // of the judge, where the run has not calibrated itself; empty: not known
  PeopleVerdict people = {};        // empty: nobody rated the run, and the page does not speak of it
};
inline constexpr size_t most_kept_bytes = 10'000'000;

struct Page {
  std::string html;
  std::vector<std::string> notices;  // what could not be shown
  size_t pictures = 0;               // linked or within
};

// The same folder and options give the same bytes. Writes thumbnails of large pictures into the folder unless `keep`. Throws
// ErrorKind::machine (disk full), cancelled.
Page make_page(const RunStore& store, const RunPlan& plan, const RunRecords& records, const Analysis& analysis,
               const PageOptions& options);

// The Content-Security-Policy that every page of this program carries: for a server that sends one.
std::string page_policy();

}  // namespace negativa
