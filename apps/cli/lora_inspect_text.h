#pragma once
// What `negativa lora inspect` prints: lines without control characters, or JSON, indented by 2, keys sorted.
#include <string>

#include "lora/inspect.h"

namespace negativa::cli {

std::string text_of(const LoraReport& report);
std::string json_of(const LoraReport& report);

}  // namespace negativa::cli
