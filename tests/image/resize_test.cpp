#include "image/resize.h"

#include "base/temporary_folder.h"

namespace negativa {

namespace {

std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(NEGATIVA_SOURCE_DIR) / "tests/golden" / name;
}

void paste(Image8& target, const Image8& source, int top) {
  for (int y = 0; y < source.height; ++y)
    std::copy_n(source.pixel(0, y), static_cast<size_t>(source.width) * 3, target.pixel(0, top + y));
}

// tools/goldens_images.py: the results of all sizes below each other.
Image8 column_of_sizes(const Image8& source, Filter filter) {
  const std::pair<int, int> sizes[] = {{31, 23}, {100, 77}, {9, 90}, {61, 20}, {17, 47}, {1, 1}, {50, 25}, {51, 25}, {70, 40}};
  Image8 column = Image8::filled(100, 23 + 77 + 90 + 20 + 47 + 1 + 25 + 25 + 40, white);
  int top = 0;
  for (const auto& [width, height] : sizes) {
    paste(column, resize(source, width, height, filter), top);
    top += height;
  }
  return column;
}

}  // namespace

TEST(Resize, GivesPillowsBytes) {
  const Image8 source = read_png(golden("resize_source.png")).image;
  EXPECT_EQ(column_of_sizes(source, Filter::bilinear), read_png(golden("resize_bilinear.png")).image);
  EXPECT_EQ(column_of_sizes(source, Filter::bicubic), read_png(golden("resize_bicubic.png")).image);
  EXPECT_EQ(column_of_sizes(source, Filter::lanczos), read_png(golden("resize_lanczos.png")).image);
}

TEST(Resize, OfTheSameSizeIsThePicture) {
  const Image8 source = read_png(golden("resize_source.png")).image;
  for (const auto filter : {Filter::bilinear, Filter::bicubic, Filter::lanczos})
    EXPECT_EQ(resize(source, source.width, source.height, filter), source);
}

TEST(Resize, OfAWindowIsThatPartOfTheWhole) {
  const Image8 source = read_png(golden("resize_source.png")).image;
  const Window window{30, 7, 20, 19};
  for (const auto& [width, height] : {std::pair(97, 33), std::pair(50, 60)}) {  // beginning with the height, with the width
    const Image8 whole = resize(source, width, height, Filter::lanczos);
    const Image8 part = resize_window(source, width, height, window, Filter::lanczos);
    ASSERT_EQ(part.width, window.width);
    for (int y = 0; y < window.height; ++y)
      ASSERT_TRUE(std::equal(part.pixel(0, y), part.pixel(0, y) + 3 * window.width, whole.pixel(window.left, window.top + y)))
          << width << ": " << y;
  }
}

TEST(Resize, OfAWindowCostsNothingForTheRestOfALongPicture) {
  const Image8 thread = Image8::filled(1 << 20, 8, {10, 20, 30});
  const Image8 part = resize_window(thread, 1 << 27, 1024, {(1 << 26) - 16, 0, 32, 1024}, Filter::lanczos);  // whole: 400 GB
  EXPECT_EQ(part.rgb, Image8::filled(32, 1024, {10, 20, 30}).rgb);
}

TEST(Resize, RefusesNothingAndWhatLiesOutside) {
  const Image8 source = Image8::filled(4, 4, white);
  error_of(ErrorKind::input, [] { resize({}, 2, 2, Filter::lanczos); });
  error_of(ErrorKind::input, [&] { resize(source, 0, 2, Filter::lanczos); });
  error_of(ErrorKind::input, [&] { resize(source, 2, -1, Filter::lanczos); });
  for (const Window& window :
       {Window{-1, 0, 2, 2}, Window{7, 0, 2, 2}, Window{0, 7, 2, 2}, Window{0, 0, 9, 1}, Window{0, -1, 1, 1}})
    error_of(ErrorKind::input, [&] { resize_window(source, 8, 8, window, Filter::lanczos); });
}

}  // namespace negativa
