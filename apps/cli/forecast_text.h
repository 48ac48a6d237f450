#pragma once
// What --dry-run prints: one "key value" a line, fractions with two decimals; or JSON with the same keys, indented by 2. Keys are
// sorted; memory is in GiB.
#include <string>

#include "jobs/forecast.h"

namespace negativa::cli {

std::string text_of(const GenerateForecast& forecast);
std::string json_of(const GenerateForecast& forecast);
std::string text_of(const CompareForecast& forecast);
std::string json_of(const CompareForecast& forecast);
std::string text_of(const TrainingForecast& forecast);
std::string json_of(const TrainingForecast& forecast);

}  // namespace negativa::cli
