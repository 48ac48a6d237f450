#include "base/exif.h"

#include "base/files.h"
#include "temporary_folder.h"

namespace negativa {

namespace {

// exif_1.png … exif_8.jpg: stored as a camera held in each of the eight ways would, by tools/goldens_images.py.
std::string golden(const std::string& name) { return read_file(std::filesystem::path(NEGATIVA_SOURCE_DIR) / "tests/golden" / name); }
std::string turned(int orientation, const char* extension) { return golden(fmt::format("exif_{}.{}", orientation, extension)); }

double mean_difference(const Image8& a, const Image8& b) {
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.height, b.height);
  double sum = 0;
  for (size_t i = 0; i < std::min(a.rgb.size(), b.rgb.size()); ++i) sum += std::abs(a.rgb[i] - b.rgb[i]);
  return sum / static_cast<double>(a.rgb.size());
}

std::string app1(const std::string& tiff) {
  const auto size = tiff.size() + 8;
  return std::string("\xff\xd8\xff\xe1", 4) + static_cast<char>(size >> 8) + static_cast<char>(size & 255) + std::string("Exif\0\0", 6) + tiff;
}

// A directory with one entry, of type SHORT.
std::string tiff_of(bool little, uint16_t tag, uint16_t value) {
  const auto number = [little](uint32_t value, int size) {
    std::string bytes;
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> 8 * (little ? i : size - 1 - i));
    return bytes;
  };
  const auto entry = number(tag, 2) + number(3, 2) + number(1, 4) + number(value, 2) + number(0, 2);
  return (little ? "II" : "MM") + number(42, 2) + number(8, 4) + number(1, 2) + entry;
}

}  // namespace

TEST(Exif, AllEightOrientationsOfPngAreSeenUpright) {
  const Image8 upright = decode_image(golden("exif_upright.png"), "upright");
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(exif_orientation(turned(orientation, "png")), orientation);
    EXPECT_EQ(decode_image_upright(turned(orientation, "png"), "x"), upright) << orientation;
  }
}

TEST(Exif, AllEightOrientationsOfJpegAreSeenUpright) {
  const Image8 upright = decode_image(turned(1, "jpg"), "upright");
  for (int orientation = 1; orientation <= 8; ++orientation) {
    EXPECT_EQ(exif_orientation(turned(orientation, "jpg")), orientation);
    EXPECT_LT(mean_difference(decode_image_upright(turned(orientation, "jpg"), "x"), upright), 1) << orientation;  // JPEG's own rounding
  }
}

TEST(Exif, IsLeftAloneByThePlainReaders) {
  const Image8 stored = decode_image(turned(6, "png"), "x");
  EXPECT_EQ(stored.width, 16);
  EXPECT_EQ(decode_png(turned(6, "png"), "x").image, stored);
}

TEST(Exif, BothByteOrdersAreRead) {
  for (const bool little : {false, true}) {
    EXPECT_EQ(exif_orientation(app1(tiff_of(little, 0x0112, 6))), 6);
    EXPECT_EQ(exif_orientation(app1(tiff_of(little, 0x0113, 6))), 1);  // another tag
    EXPECT_EQ(exif_orientation(app1(tiff_of(little, 0x0112, 9))), 1);
    EXPECT_EQ(exif_orientation(app1(tiff_of(little, 0x0112, 0))), 1);
  }
}

TEST(Exif, IsFoundBehindOtherMarkersAndBehindThePicture) {
  const std::string block = app1(tiff_of(true, 0x0112, 3));
  const std::string comment("\xff\xfe\x00\x05" "abc\xff", 8);  // ends with a fill byte
  EXPECT_EQ(exif_orientation(block.substr(0, 2) + comment + block.substr(2)), 3);
  EXPECT_EQ(exif_orientation(std::string("\xff\xd8\xff\xda\x00\x02", 6) + block.substr(2)), 1);  // in a scan: picture data
  std::string png = turned(8, "png");
  const auto chunk = png.find("eXIf") - 4;
  const auto size = 12 + static_cast<size_t>(static_cast<uint8_t>(png[chunk + 3]));
  const std::string moved = png.substr(chunk, size);
  png.erase(chunk, size);
  EXPECT_EQ(exif_orientation(png), 1);
  png.insert(png.size() - 12, moved);
  EXPECT_EQ(exif_orientation(png), 8);
}

TEST(Exif, DamagedInAnyWayMeansAsStored) {
  for (const char* extension : {"png", "jpg"}) {
    const std::string whole = turned(6, extension);
    for (size_t size = 0; size < whole.size(); ++size) {
      const int orientation = exif_orientation(whole.substr(0, size));
      ASSERT_TRUE(orientation == 1 || orientation == 6) << size;
    }
    for (size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] ^= static_cast<char>(0xff);
      const int orientation = exif_orientation(damaged);
      ASSERT_TRUE(orientation >= 1 && orientation <= 8) << at;
    }
  }
  EXPECT_EQ(exif_orientation(app1("II*")), 1);
  EXPECT_EQ(exif_orientation(app1(std::string("II\x2a\0\xff\xff\xff\xff", 8))), 1);       // a directory far outside
  EXPECT_EQ(exif_orientation(app1(std::string("II\x2a\0\x08\0\0\0\xff\xff", 10))), 1);  // 65535 entries, none there
}

}  // namespace negativa
