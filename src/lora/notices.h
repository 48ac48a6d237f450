#pragma once
// What a person should be told of a LoRA file that was read: one line each.
#include "lora/effect.h"

namespace negativa {

// Keys that --allow-unmatched skipped, and what is odd about the file.
std::vector<std::string> lines_of_skipped(const LoraFile& lora, const std::string& name);

// Layers of alpha 0, which what is written will not have.
std::vector<std::string> lines_of_left_out(const LoraFile& lora, const std::string& name);

// For a picture that is made again: earlier versions drew with such a LoRA in another way.
std::vector<std::string> lines_of_changed_meaning(const LoraFile& lora, const std::string& name);

// A LoRA that does nothing.
std::vector<std::string> lines_of_no_effect(const ActiveLora& lora, const std::string& name, const PictureReads& reads = {});

}  // namespace negativa
