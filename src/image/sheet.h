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

}  // namespace negativa
