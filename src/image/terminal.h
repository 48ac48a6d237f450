#pragma once
// Pictures in a terminal.
#include <string>

#include "image/image.h"

namespace negativa {

// Two pixels a character cell by upper half blocks in 24-bit ANSI colour, at most max_columns wide; every line resets the colour.
// Pictures narrower than max_columns are drawn enlarged by a whole factor, nearest pixel.
std::string half_blocks(const Image8& image, int max_columns);

int terminal_columns();  // of stdout; 80 when it is no terminal

}  // namespace negativa
