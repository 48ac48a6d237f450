#pragma once
// A line cut into runs that can be shaped: one font, one script, one direction each.
#include <cstdint>
#include <span>
#include <vector>

#include "image/fonts.h"
#include "image/typesetter.h"

namespace negativa {

struct TextRun {
  int32_t begin, end;  // of TextLine::text, UTF-16 units
  size_t font;         // of those given
  hb_script_t script;
  bool right_to_left;
};

// From left to right as they are drawn. A character goes to the first font that has it, else to the first of all.
std::vector<TextRun> runs_of(const TextLine& line, std::span<const Font> fonts);

}  // namespace negativa
