#pragma once
// How often the test prompts were looked at: a line a run in test_runs.jsonl beside the TOML, which stands under version control.
// Who tries until it fits can be seen to have tried.
#include "experiment/experiment_file.h"

namespace negativa {

// Appends the run's line unless its hash is there already; returns how many runs the file then has. Safe between processes.
// Throws ErrorKind::input or machine where it cannot be read or written, file_format for a line that is none.
size_t count_test_run(const ExperimentFile& file, const RunPlan& plan);

// Without counting. 0: there is no such file.
size_t counted_test_runs(const Path& toml);

}  // namespace negativa
