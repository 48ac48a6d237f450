#pragma once
// A run folder as a report reads it: every file looked at once.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runs/run_store.h"

namespace negativa {

// Of one cell of the plan. Cells that share a file have the same.
struct CellSeen {
  CellState state = CellState::missing;
  std::string why;     // damaged: in one line that names the file
  double seconds = 0;  // that making it took; 0: not there, or nobody says
};

// A picture of an arm with what was measured of it.
struct ArmPicture {
  size_t cell = 0, row = 0;                   // of the picture and of its metrics, by number; no_row: nothing measures it
  int arm = 0, prompt = 0, replicate = 0;     // numbers of the plan's lists
  int training = -1;                          // -1: nothing trained is in the arm
  bool is_drawn = false;                      // the picture's file is there and whole
  bool is_measured = false;                   // so is its row
  std::vector<std::optional<double>> values;  // of plan.metric_names; empty where it is not measured
};
inline constexpr size_t no_row = static_cast<size_t>(-1);

struct RunRecords {
  std::vector<CellSeen> cells;             // of plan.cells
  std::vector<ArmPicture> pictures;        // in the plan's order
  std::map<std::string, size_t> machines;  // processor, and how many cells it made
  std::map<std::string, size_t> versions;  // of the program, likewise

  // One line each: what is missing or damaged, by stage and arm; empty: the run is whole.
  std::vector<std::string> faults;
};

// Reads every record, and hashes files up to RunStore::hashed_up_to_bytes: 15,000 pictures in seconds. Throws ErrorKind::input
// for what a person has to mend (no permission), cancelled.
RunRecords read_run(const RunStore& store, const RunPlan& plan, const CancelToken& cancel);

}  // namespace negativa
