#pragma once
// What `negativa score` prints: what must be known first, calibrations made, a table of each set, its differences from the first;
// or JSON, indented by 2, keys sorted.
#include <string>

#include "jobs/score.h"

namespace negativa::cli {

std::string text_of(const ScoreReport& report);
std::string json_of(const ScoreReport& report);

// A line a folder.
std::string text_of(const ScoreForecast& forecast);

}  // namespace negativa::cli
