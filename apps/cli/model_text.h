#pragma once
// What `negativa model inspect` prints: a table of the parts, hashes and remarks; or JSON, indented by 2, keys sorted.
#include <string>

#include "jobs/inspect_model.h"

namespace negativa::cli {

std::string text_of(const ModelReport& report);
std::string json_of(const ModelReport& report);

}  // namespace negativa::cli
