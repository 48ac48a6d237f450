#pragma once
// What the verbs of `negativa experiment` print.
#include <string>

#include "jobs/experiment.h"
#include "jobs/experiment_next.h"
#include "jobs/experiment_pairs.h"

namespace negativa::cli {

std::string text_of(const ExperimentForecast& forecast);
std::string json_of(const ExperimentForecast& forecast);
std::string text_of(const ExperimentRunReport& report);  // what was made in one line, the table of arms, the page
std::string json_of(const ExperimentRunReport& report);
std::string json_of(const ExperimentReport& report);
std::string text_of(const TuneResult& result);
std::string json_of(const TuneResult& result);
std::string text_of(const ExperimentNextReport& report);  // a line a round, why there are no more, the page
std::string json_of(const ExperimentNextReport& report);
std::string text_of(const ExperimentPairsReport& report);
std::string json_of(const ExperimentPairsReport& report);
std::string text_of(const RunStatus& status);
std::string json_of(const RunStatus& status);
std::string text_of(const RunDifference& difference);
std::string json_of(const RunDifference& difference);

// "2 h 10 min", "45 s"
std::string duration_text(double seconds);

}  // namespace negativa::cli
