#include "image/cut_sheets.h"

#include <gtest/gtest.h>

#include <set>

#include "image/sheet.h"

namespace negativa {

namespace {

// Rows and columns of pictures that carry their number: column in red, row in green.
PictureGrid numbered_grid(size_t rows, size_t columns) {
  PictureGrid grid;
  grid.title = "all";
  grid.column_labels.assign(columns, "c");
  grid.row_labels.assign(rows, "r");
  grid.picture_width = grid.picture_height = 16;
  grid.picture = [](size_t row, size_t column) {
    return Image8::filled(16, 16, {static_cast<uint8_t>(100 + column), static_cast<uint8_t>(100 + row), 7});
  };
  return grid;
}

struct SeenSheet {
  std::string suffix, title;
  std::set<int> columns, rows;
  int64_t pixels = 0;
};

std::vector<SeenSheet> cut(const PictureGrid& grid) {
  std::vector<SeenSheet> seen;
  cut_sheets(grid, {}, [&](const CutSheet& sheet) {
    const Image8& image = sheet.image;
    seen.push_back({sheet.suffix, sheet.title, {}, {}, int64_t{image.width} * image.height});
    for (size_t i = 0; i < image.rgb.size(); i += 3) {
      if (image.rgb[i + 2] != 7) continue;
      seen.back().columns.insert(image.rgb[i] - 100);
      seen.back().rows.insert(image.rgb[i + 1] - 100);
    }
  });
  return seen;
}

using Numbers = std::set<int>;

}  // namespace

TEST(CutSheets, AreOneWithoutANumberWhereAllFits) {
  const auto sheets = cut(numbered_grid(2, 3));
  ASSERT_EQ(sheets.size(), 1u);
  EXPECT_EQ(sheets[0].suffix, "");
  EXPECT_EQ(sheets[0].title, "all");
  EXPECT_EQ(sheets[0].columns, (Numbers{0, 1, 2}));
  EXPECT_EQ(sheets[0].rows, (Numbers{0, 1}));
}

TEST(CutSheets, EachBeginWithTheFirstColumnAndHaveNoMorePixelsThanAllowed) {
  PictureGrid grid = numbered_grid(2, 5);
  grid.most_pixels = most_pixels_of({1, 4, 16, 16});
  const auto sheets = cut(grid);
  ASSERT_EQ(sheets.size(), 4u);
  EXPECT_EQ(sheets[0].suffix, "-1");
  EXPECT_EQ(sheets[3].suffix, "-4");
  EXPECT_EQ(sheets[3].title, "all, sheet 4 of 4");
  for (int i = 0; i < 4; ++i) {
    const SeenSheet& sheet = sheets[static_cast<size_t>(i)];
    EXPECT_LE(sheet.pixels, grid.most_pixels) << sheet.suffix;
    EXPECT_EQ(sheet.columns, i < 2 ? (Numbers{0, 1, 2, 3}) : (Numbers{0, 4}));
    EXPECT_EQ(sheet.rows, Numbers{i % 2});
  }
}

TEST(CutSheets, HaveAtMostTheirReckonedPixelsWhateverTheirTextsAre) {
  const std::string words(2000, 'W');
  Sheet sheet;
  sheet.cells.assign(3, std::vector<Image8>(2, Image8::filled(40, 70, white)));
  sheet.column_labels = {words, words};
  sheet.row_labels = {words, words, words};
  sheet.title = sheet.caption = words;
  const Image8 image = labelled_sheet(sheet);
  const int64_t pixels = int64_t{image.width} * image.height;
  EXPECT_LE(pixels, most_pixels_of({3, 2, 40, 70}));
  EXPECT_GT(pixels, most_pixels_of({3, 2, 40, 70}) * 9 / 10);
}

}  // namespace negativa
