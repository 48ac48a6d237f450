#include "image/sheet.h"

#include "base/temporary_folder.h"

namespace negativa {

namespace {
int count(const Image8& image, Colour colour) {
  int found = 0;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) found += std::equal(colour.begin(), colour.end(), image.pixel(x, y));
  return found;
}
constexpr Colour red = {255, 0, 0}, blue = {0, 0, 255};
}  // namespace

TEST(DrawText, DrawsGlyphsAndCutsAtTheEdges) {
  Image8 image = Image8::filled(7, 13, white);
  draw_text(image, 0, 0, "I", {1, red});
  // The letter I of 7x13: two serifs of five pixels, seven pixels of stem.
  EXPECT_EQ(count(image, red), 17);
  EXPECT_EQ(count(image, white), 7 * 13 - 17);
  draw_text(image, -3, -5, "long text \xff 猫", {3, red});  // must not write outside
  Image8 twice = Image8::filled(14, 26, white);
  draw_text(twice, 0, 0, "I", {2, red});
  EXPECT_EQ(count(twice, red), 4 * 17);
}

TEST(LabelledSheet, ShowsEveryPictureEnlargedAndLabelled) {
  Sheet sheet;
  sheet.cells = {{Image8::filled(8, 8, red), Image8::filled(8, 8, blue)}, {Image8{}, Image8::filled(4, 8, red)}};
  sheet.column_labels = {"plain", "a label that is wrapped"};
  sheet.row_labels = {"seed 1", "seed 2"};
  sheet.upscale = 5;
  const Image8 drawn = labelled_sheet(sheet);
  EXPECT_EQ(count(drawn, red), 40 * 40 + 20 * 40);
  EXPECT_EQ(count(drawn, blue), 40 * 40);
  sheet.row_labels.clear();
  sheet.column_labels.clear();
  EXPECT_LT(labelled_sheet(sheet).width, drawn.width);
}

TEST(LabelledSheet, RefusesRaggedRowsAndLabelsThatDoNotFit) {
  const Image8 cell = Image8::filled(2, 2, red);
  const auto refused = [](std::vector<std::vector<Image8>> cells, size_t column_labels, size_t row_labels) {
    Sheet sheet;
    sheet.cells = std::move(cells);
    sheet.column_labels.resize(column_labels);
    sheet.row_labels.resize(row_labels);
    error_of(ErrorKind::input, [&] { labelled_sheet(sheet); });
  };
  refused({}, 0, 0);
  refused({{cell}, {cell, cell}}, 0, 0);
  refused({{cell}}, 2, 0);
  refused({{cell}}, 0, 2);
}

}  // namespace negativa
