#pragma once
// A labelled grid of pictures as sheets to be posted: `compare` and the contact sheets of a run.
#include <functional>
#include <string>
#include <vector>

#include "base/cancel.h"
#include "image/image.h"

namespace negativa {

// What small print says of columns that were drawn from the same seeds.
inline constexpr const char* same_noise_along_a_row = "the same noise along a row";

struct PictureGrid {
  std::string title, caption;                                // as those of Sheet; a numbered sheet's title says which it is
  std::vector<std::string> column_labels, row_labels;        // one a column and one a row, at least one each
  std::function<Image8(size_t row, size_t column)> picture;  // empty: its place stays blank
  int picture_width = 1, picture_height = 1;                 // px, of the largest picture
  int64_t most_pixels = max_image_pixels;                    // of a sheet
};

struct CutSheet {
  std::string suffix;  // of its file's stem: "-1", "-2" …; empty: it is the only one
  std::string title;
  Image8 image;
};

// One sheet, or numbered ones where it would have too many pixels or more than 60 columns. Rows are cut first; where columns are
// too many, each sheet begins with the first of them, the baseline. A row of two pictures stays whole, whatever its size. Given
// one after another, since each may be large. Throws cancelled, and what `picture` throws.
void cut_sheets(const PictureGrid& grid, const CancelToken& cancel, const std::function<void(const CutSheet&)>& take);

}  // namespace negativa
