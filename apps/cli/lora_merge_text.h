#pragma once
// What `negativa lora merge` prints: a line a layer and the totals; or JSON, indented by 2, keys sorted.
#include <string>

#include "jobs/lora_merge.h"

namespace negativa::cli {

std::string text_of(const LoraMergeReport& report);
std::string json_of(const LoraMergeReport& report);

}  // namespace negativa::cli
