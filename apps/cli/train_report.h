#pragma once
// What a finished training says on stdout, whatever was trained.
#include "jobs/training_run.h"

namespace negativa::cli {

void print_report(const TrainReport& report, bool json);

}  // namespace negativa::cli
