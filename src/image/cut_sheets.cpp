#include "image/cut_sheets.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "image/sheet.h"

namespace negativa {

namespace {

constexpr size_t most_columns = 60;
using Numbers = std::vector<size_t>;

// The largest number up to `most` that fits, at least `least`.
template <class Fits>
size_t largest(size_t least, size_t most, const Fits& fits) {
  size_t number = least;
  while (number < most && fits(number + 1)) ++number;
  return std::min(number, most);
}

Numbers numbers(size_t begin, size_t end) {
  Numbers all(end - begin);
  std::iota(all.begin(), all.end(), begin);
  return all;
}

// Columns of each sheet.
std::vector<Numbers> cut_columns(size_t columns, size_t most) {
  if (columns <= most) return {numbers(0, columns)};
  std::vector<Numbers> parts;
  for (size_t begin = 1; begin < columns; begin += most - 1) {
    Numbers part{0};
    for (const size_t column : numbers(begin, std::min(columns, begin + most - 1))) part.push_back(column);
    parts.push_back(std::move(part));
  }
  return parts;
}

Image8 draw(const PictureGrid& grid, const Numbers& columns, const Numbers& rows, const CancelToken& cancel,
            const std::string& title) {
  Sheet sheet;
  sheet.title = title;
  sheet.caption = grid.caption;
  sheet.upscale = default_upscale(grid.picture_width);  // the same in all sheets, and what most_pixels_of reckons with
  for (const size_t column : columns) sheet.column_labels.push_back(grid.column_labels[column]);
  for (const size_t row : rows) {
    cancel.throw_if_cancelled();
    sheet.row_labels.push_back(grid.row_labels[row]);
    auto& cells = sheet.cells.emplace_back();
    for (const size_t column : columns) cells.push_back(grid.picture(row, column));
  }
  return labelled_sheet(sheet);
}

}  // namespace

void cut_sheets(const PictureGrid& grid, const CancelToken& cancel, const std::function<void(const CutSheet&)>& take) {
  const size_t columns = grid.column_labels.size(), rows = grid.row_labels.size();
  check(columns > 0 && rows > 0, ErrorKind::input, "[sheet] got no pictures, expected at least one");
  const auto fits = [&](size_t of_rows, size_t of_columns) {
    return most_pixels_of({of_rows, of_columns, grid.picture_width, grid.picture_height}) <= grid.most_pixels;
  };
  const size_t wide = largest(2, most_columns, [&](size_t number) { return fits(1, number); });
  const size_t high = largest(1, rows, [&](size_t number) { return fits(number, std::min(columns, wide)); });
  const auto parts = cut_columns(columns, wide);
  const size_t row_parts = (rows + high - 1) / high, count = parts.size() * row_parts;
  for (size_t i = 0; i < count; ++i) {
    const size_t first = i % row_parts * high;
    const std::string title = count == 1 ? grid.title : fmt::format("{}, sheet {} of {}", grid.title, i + 1, count);
    const Image8 image = draw(grid, parts[i / row_parts], numbers(first, std::min(rows, first + high)), cancel, title);
    take({count == 1 ? "" : fmt::format("-{}", i + 1), title, image});
  }
}

}  // namespace negativa
