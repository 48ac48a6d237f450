#include "image/exif.h"

#include "base/files.h"
#include "base/temporary_folder.h"
#include "image/png_bytes.h"

namespace negativa {

using namespace test;

namespace {

constexpr std::string_view jpeg_prefix("Exif\0\0", 6);

// exif_1.png … exif_8.jpg: stored as a camera held in each of the eight ways would, by tools/goldens_images.py.
std::string golden(const std::string& name) {
  return read_file(std::filesystem::path(NEGATIVA_SOURCE_DIR) / "tests/golden" / name);
}
std::string turned(int orientation, const char* extension) { return golden(fmt::format("exif_{}.{}", orientation, extension)); }

double mean_difference(const Image8& a, const Image8& b) {
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.height, b.height);
  double sum = 0;
  for (size_t i = 0; i < std::min(a.rgb.size(), b.rgb.size()); ++i) sum += std::abs(a.rgb[i] - b.rgb[i]);
  return sum / static_cast<double>(a.rgb.size());
}

enum TiffType { unsigned_short = 3, unsigned_long = 4 };

// A directory with one entry.
std::string tiff_of(bool little, uint16_t tag, uint32_t value, TiffType type = unsigned_short) {
  const auto number = [little](uint32_t value, int size) {
    std::string bytes;
    for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> 8 * (little ? i : size - 1 - i));
    return bytes;
  };
  const int size = type == unsigned_short ? 2 : 4;
  const auto entry =
      number(tag, 2) + number(type, 2) + number(1, 4) + number(value, size) + std::string(static_cast<size_t>(4 - size), 0);
  return (little ? "II" : "MM") + number(42, 2) + number(8, 4) + number(1, 2) + entry + number(0, 4);
}

// The sixth orientation's PNG without its eXIf chunk.
std::string stored_sideways() {
  std::string png = turned(6, "png");
  const auto at = png.find("eXIf") - 4;
  return png.erase(at, 12 + static_cast<size_t>(static_cast<uint8_t>(png[at + 3])));
}

// As ImageMagick writes it: the profile's name, its size in eight columns, 36 bytes a line.
std::string raw_profile(const std::string& name, const std::string& bytes) {
  std::string text = fmt::format("\n{}\n{:8}", name, bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i)
    text += fmt::format("{}{:02x}", i % 36 == 0 ? "\n" : "", static_cast<uint8_t>(bytes[i]));
  return text + "\n";
}

}  // namespace

TEST(Exif, AllEightOrientationsOfPngAreSeenUpright) {
  const Image8 upright = decode_image(golden("exif_upright.png"), "upright");
  for (int orientation = 1; orientation <= 8; ++orientation)
    EXPECT_EQ(see_picture(turned(orientation, "png"), "x").image, upright) << orientation;
}

TEST(Exif, AllEightOrientationsOfJpegAreSeenUpright) {
  const Image8 upright = decode_image(turned(1, "jpg"), "upright");
  for (int orientation = 1; orientation <= 8; ++orientation)
    EXPECT_LT(mean_difference(see_picture(turned(orientation, "jpg"), "x").image, upright), 1)
        << orientation;  // JPEG's own rounding
}

TEST(Exif, IsLeftAloneByThePlainReaders) {
  const Image8 stored = decode_image(turned(6, "png"), "x");
  EXPECT_EQ(stored.width, 16);
  EXPECT_EQ(decode_png(turned(6, "png"), "x").image, stored);
}

TEST(Exif, IsReadInBothByteOrdersAndTypesWithAndWithoutPrefix) {
  for (const bool little : {false, true})
    for (const auto prefix : {std::string_view(), jpeg_prefix}) {
      const auto read = [&](uint16_t tag, uint32_t value, TiffType type = unsigned_short) {
        return exif_orientation(std::string(prefix) + tiff_of(little, tag, value, type));
      };
      for (int orientation = 1; orientation <= 8; ++orientation) EXPECT_EQ(read(0x0112, orientation), orientation);
      EXPECT_EQ(read(0x0112, 6, unsigned_long), 6);
      EXPECT_EQ(read(0x0112, 0x10006, unsigned_long), 1);
      EXPECT_EQ(read(0x0113, 6), 1);  // another tag
      EXPECT_EQ(read(0x0112, 9), 1);
      EXPECT_EQ(read(0x0112, 0), 1);
    }
}

TEST(Exif, OfAPngIsReadFromEveryPlaceThatProgramsPutItAt) {
  const Image8 upright = decode_image(golden("exif_upright.png"), "upright");
  const std::string plain = stored_sideways(), tiff = tiff_of(true, 0x0112, 6), prefixed = std::string(jpeg_prefix) + tiff;
  const auto compressed = [](const std::string& keyword, const std::string& text) {
    return chunk("zTXt", keyword + std::string("\0\0", 2) + deflated(text));
  };
  const std::vector<std::string> places = {
      chunk("eXIf", tiff),
      chunk("eXIf", prefixed),  // some writers keep JPEG's prefix
      chunk("tEXt", "Raw profile type exif" + std::string(1, 0) + raw_profile("exif", prefixed)),
      compressed("Raw profile type exif", raw_profile("exif", prefixed)),
      compressed("Raw profile type exif", raw_profile("exif", tiff)),
      compressed("Raw profile type APP1", raw_profile("APP1", prefixed)),
      compressed("Raw profile type APP1", raw_profile("generic profile", prefixed)),
  };
  ASSERT_NE(see_picture(plain, "x").image, upright);
  for (size_t i = 0; i < places.size(); ++i)
    for (const size_t at : {size_t{33}, plain.size() - 12})
      EXPECT_EQ(see_picture(std::string(plain).insert(at, places[i]), "x").image, upright) << i << " " << at;
}

TEST(Exif, OfAPngInRawProfilesMayBeAnything) {
  const std::string plain = stored_sideways();
  const Image8 stored = decode_image(plain, "x");
  const std::string hex = "49492a00080000000100120103000100000006000000";
  for (const std::string& text : {std::string(), std::string("\n"), std::string("\nexif\n"), std::string("\nexif\n 99999999\n"),
                                  std::string("\nexif\n 3\n4"), "exif " + hex,
                                  std::string("\nAPP1\n 40\n") + "687474703a2f2f6e732e61646f62652e636f6d2f"})  // XMP
    EXPECT_EQ(
        see_picture(std::string(plain).insert(33, chunk("tEXt", "Raw profile type APP1" + std::string(1, 0) + text)), "x").image,
        stored)
        << text;
}

TEST(Exif, OfAJpegIsFoundBehindOtherMarkers) {
  const std::string jpeg = turned(6, "jpg");
  const std::string comment(
      "\xff\xfe\x00\x05"
      "abc\xff",
      8);  // ends with a fill byte
  const Image8 upright = see_picture(jpeg, "x").image;
  EXPECT_EQ(upright.width, 24);
  EXPECT_EQ(see_picture(jpeg.substr(0, 2) + comment + jpeg.substr(2), "x").image, upright);
}

TEST(Exif, DamagedInAnyWayMeansAsStored) {
  const std::string whole = std::string(jpeg_prefix) + tiff_of(true, 0x0112, 6);
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
  for (const char* bytes : {"", "II*", "Exif", "no EXIF at all"}) EXPECT_EQ(exif_orientation(bytes), 1) << bytes;
  EXPECT_EQ(exif_orientation(std::string("II\x2a\0\xff\xff\xff\xff", 8)), 1);     // a directory far outside
  EXPECT_EQ(exif_orientation(std::string("II\x2a\0\x08\0\0\0\xff\xff", 10)), 1);  // 65535 entries, none there
}

}  // namespace negativa
