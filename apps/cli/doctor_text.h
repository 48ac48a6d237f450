#pragma once
// What `negativa doctor` prints: lines, or JSON, indented by 2, keys sorted.
#include <string>

#include "jobs/doctor.h"

namespace negativa::cli {

std::string text_of(const DoctorReport& report);
std::string json_of(const DoctorReport& report);

}  // namespace negativa::cli
