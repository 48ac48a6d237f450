#pragma once
// A bitmap font of 7x13 pixels for labels in pictures.
#include <cstdint>

namespace negativa::font {

inline constexpr int glyph_width = 7, glyph_height = 13;  // px, spacing included

// Row y (0 at the top) of a character: bit 7 is the leftmost pixel. A character outside ASCII 32..126 is a box.
uint8_t glyph_row(char32_t character, int y);

}  // namespace negativa::font
