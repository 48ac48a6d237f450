#pragma once
// What a file that does not fit was probably made for: the useful half of the error message.
#include "lora/lora_file.h"

namespace negativa {

// "a LoRA for Flux", "a LyCORIS LoHa, which is not supported" …; empty when nothing gives it away.
std::string guess_purpose(const SafetensorsFile& file, const LoraTargets& targets);

}  // namespace negativa
