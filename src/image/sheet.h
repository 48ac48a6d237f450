#pragma once
// Labelled grids of pictures: what `compare` and the demo show.
#include <string>
#include <vector>

#include "image/image.h"

namespace negativa {

struct Sheet {
  std::vector<std::vector<Image8>> cells;  // rows of equally many pictures; an empty picture leaves its place blank
  // Any script (image/typesetter.h). Texts are wrapped; one of more lines than its place has is cut with "…".
  std::vector<std::string> column_labels;  // none, or one a column; at most 8 lines
  std::vector<std::string> row_labels;     // none, or one a row; no higher than their row
  std::string title;                       // at most 4 lines
  std::string caption;                     // small print under the grid; at most 8 lines
  int upscale = 0;                         // whole factor, nearest pixel; 0: such that a picture is at least 160 px wide
};

// Safe from several threads. Throws ErrorKind::input for ragged rows or a number of labels that does not fit.
Image8 labelled_sheet(const Sheet& sheet);

// Sheet::upscale where it is 0 and the widest picture has so many px.
int default_upscale(int picture_width);

struct SheetShape {
  size_t rows = 1, columns = 1;
  int picture_width = 1, picture_height = 1;  // px, of the largest
};
// More pixels than this no sheet of that shape has, whatever its texts are (Sheet::upscale being 0).
int64_t most_pixels_of(const SheetShape& shape);

}  // namespace negativa
