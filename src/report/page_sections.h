#pragma once
// The page's sections, in the order of a reader's questions. Each writes what stands under its heading.
#include "report/breakdowns.h"
#include "report/html.h"
#include "report/page.h"
#include "report/page_data.h"

namespace negativa {

// What every section reads.
struct PageRun {
  const RunStore& store;
  const RunPlan& plan;
  const RunRecords& records;
  const Analysis& analysis;
  const PageOptions& options;
  const Differences& differences;
  const Sample* sample;  // of a page to be kept

  Compared compared() const { return {plan, records, differences, analysis.baseline}; }
  const PlannedArm& arm(int number) const { return plan.arms[static_cast<size_t>(number)]; }
  std::string metric_words() const;  // of the verdict: "damage", "damage (uncalibrated)"
};

void write_verdict(Html& html, const PageRun& run);
void write_people(Html& html, const PageRun& run);
void write_worse(Html& html, const PageRun& run);
void write_grid(Html& html, const PageRun& run);
void write_comparisons(Html& html, const PageRun& run);  // forest plot of primary and secondary
void write_arms(Html& html, const PageRun& run);
void write_sweeps(Html& html, const PageRun& run);
void write_damages(Html& html, const PageRun& run);
void write_groups(Html& html, const PageRun& run);
void write_other_lists(Html& html, const PageRun& run);
void write_training(Html& html, const PageRun& run);
void write_calibration(Html& html, const PageRun& run);
void write_test_runs(Html& html, const PageRun& run);
void write_methods(Html& html, const PageRun& run);

// Up to the body: <html> is open, its head written with the style sheet of every page.
void begin_page(Html& html, const std::string& title);

// A table that scrolls by itself where it is wider than the page; closed by end_table.
void begin_table(Html& html, const std::string& caption, const std::vector<std::string>& headings, const std::string& kind = "");
void end_table(Html& html);
// A sentence; a list of them.
void paragraph(Html& html, std::string_view text, const std::string& kind = "");
void sentences_list(Html& html, const std::vector<std::string>& lines);

// "-0.050" and the interval under it, as cells of tables have them.
std::string value_text(const Estimate& estimate);
std::string interval_text(const Estimate& estimate);
std::string says_class(Says says);  // of the style sheet: "better", "worse", "trades" or ""

}  // namespace negativa
