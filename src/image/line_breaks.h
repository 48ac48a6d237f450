#pragma once
// Text cut into lines that fit a width, whatever measures them.
#include <functional>
#include <string_view>
#include <vector>

#include "image/typesetter.h"

namespace negativa {

// As Typesetter::wrapped says; width_px measures a line.
std::vector<TextLine> broken_lines(std::string_view utf8, const TextBox& box,
                                   const std::function<int(const TextLine&)>& width_px);

}  // namespace negativa
