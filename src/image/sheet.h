#pragma once
// Labelled grids of pictures: what `compare` and the demo show.
#include <string>
#include <string_view>
#include <vector>

#include "image/image.h"

namespace negativa {

// Draws one line of text with its top left corner at (x, y) px; parts outside the picture are cut. scale: px per font pixel.
struct TextStyle {
  int scale = 1;
  Colour colour = {32, 32, 36};
};
void draw_text(Image8& image, int x, int y, std::string_view text, const TextStyle& style = {});
int text_width_px(std::string_view text, int scale);

struct Sheet {
  std::vector<std::vector<Image8>> cells;  // rows of equally many pictures; an empty picture leaves its place blank
  std::vector<std::string> column_labels;  // none, or one a column; wrapped at spaces
  std::vector<std::string> row_labels;     // none, or one a row
  std::string title;
  std::string caption;  // small print under the grid
  int upscale = 0;      // whole factor, nearest pixel; 0: such that a picture is at least 160 px wide
};

// Throws ErrorKind::input for ragged rows or a number of labels that does not fit.
Image8 labelled_sheet(const Sheet& sheet);

}  // namespace negativa
