#pragma once
// What else a run says, exploratory and unadjusted: by damage, by prompt group, over a sweep's values, and whatever got worse.
#include "report/analysis.h"

namespace negativa {

// One difference in a table of many.
struct CrossCell {
  Estimate line;  // as verdict_line chooses it
  Says says = Says::unclear;
};

// Arms by something; cells [row][column], absent where nothing pairs.
struct Cross {
  std::string metric;                // of all cells; empty: each column has its own
  std::vector<int> arms;             // rows
  std::vector<std::string> columns;  // names as a reader sees them
  std::vector<std::string> outside;  // columns that stand outside every score: not calibrated
  std::vector<std::vector<std::optional<CrossCell>>> cells;
};

// What every table compares, so that each is written once.
struct Compared {
  const RunPlan& plan;
  const RunRecords& records;
  const Differences& differences;
  int baseline = 0;
};

// Arms of [arms] that draw the baseline's list of prompts.
Cross by_damage(const Compared& run);
Cross by_group(const Compared& run, const std::string& metric);

// Arms over the values of one sweep's axis; with several axes the others stand in the series' name.
struct SweepSeries {
  std::string name;                              // of the arm, and of other axes' values
  std::vector<std::optional<CrossCell>> points;  // of SweepTable::values: against the baseline of the same value
  std::vector<std::optional<Estimate>> means;    // likewise, of the metric itself
  std::vector<size_t> pictures;                  // measured, likewise
};
struct Sweep {
  std::string name, axis;           // "cfg", "cfg_scale"
  std::vector<std::string> values;  // numbers ascending, else in the plan's order; the main arms' own value among them
  std::string metric;
  std::vector<SweepSeries> series;
};
std::vector<Sweep> sweeps_of(const Compared& run, const std::string& metric);

// Everything that is clearly worse, arm by arm.
struct Worse {
  int arm = 0, baseline = 0;
  std::string metric;
  Estimate line;
};
struct WhatGotWorse {
  std::vector<Worse> found;  // the primary comparison's arm first, then the plan's order
  size_t looked_at = 0;      // comparisons
  double by_chance = 0;      // of them would be found on average if nothing had changed
};
WhatGotWorse what_got_worse(const Compared& run, std::optional<int> first_arm);

}  // namespace negativa
