#pragma once
// Rounds of rejecting on one page: for each way of rejecting its rounds in a table, curves, and pictures of one prompt and seed
// along the rounds. docs/rounds.md.
#include "report/page.h"
#include "stats/preferences.h"

namespace negativa {

// Round k is arm k of the rounds' run.
struct RoundRow {
  size_t round = 0, rejects = 0;                                           // pictures that it was trained on
  std::optional<Estimate> damage = {}, right_object = {}, drift = {};      // means over prompts; drift: difference to round 0
  std::optional<Estimate> damage_change = {}, right_object_change = {};    // against round 0, picture by picture
  std::optional<WinRate> over_first = {}, over_before = {};                // by the judge that did not choose
  std::optional<WinRate> people_over_first = {}, people_over_before = {};  // where people rated, and did not choose
};

struct RoundsTable {
  std::string reject;                    // "judge_select"
  std::vector<RoundRow> rows;            // from round 0
  std::string stopped;                   // why there are no more; empty: not known
  std::vector<std::string> faults = {};  // of the run, as RunRecords'

  bool people_chose() const { return reject == "people"; }
};

// Fills what was measured into rows that have their numbers. Throws as read_run does.
void measure_rounds(RoundsTable& table, const RunStore& store, const CancelToken& cancel);

struct SeriesOfRounds {
  const RoundsTable& table;
  const RunStore& store;  // of the rounds' run
};
// The same series give the same bytes. Pictures are within the page, large ones as thumbnails.
Page make_rounds_page(const std::string& run_name, const std::string& arm, const std::vector<SeriesOfRounds>& series);

}  // namespace negativa
