#pragma once
// What a file that does not fit was probably made for: the useful half of the error message.
#include "lora/lora_file.h"

namespace negativa {

// "a LoRA for Flux", "a LyCORIS LoHa, which is not supported; …" and what to do …; empty when nothing gives it away.
std::string guess_purpose(const TensorFile& file, const LoraTargets& targets);

// What is odd about a file that fits all the same: "has peft's suffixes under kohya's names …", behind the file's name; empty:
// nothing.
std::string remark_on(const TensorFile& file);

}  // namespace negativa
