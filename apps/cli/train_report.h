#pragma once
// What a finished training says on stdout, whatever was trained.
#include "train/training_run.h"

namespace negativa::cli {

// A training outlives whoever read what it says: `negativa train lora … 2>&1 | head` must not lose steps.
void outlive_readers();

void print_report(const TrainReport& report, bool json);

}  // namespace negativa::cli
