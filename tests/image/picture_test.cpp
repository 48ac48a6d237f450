// Pictures as people have them: colour profiles, WebP, animated files, files that are something else. Goldens:
// tools/goldens_pictures.py.
#include <functional>
#include <map>

#include "base/files.h"
#include "base/temporary_folder.h"
#include "image/image.h"
#include "image/picture_kind.h"
#include "image/png_bytes.h"

namespace negativa {

using namespace test;

namespace {

std::string golden(const std::string& name) {
  return read_file(std::filesystem::path(NEGATIVA_SOURCE_DIR) / "tests/golden/pictures" / name);
}
Image8 seen_by_pillow(const std::string& name) { return decode_png(golden(name + ".seen.png"), name).image; }

int largest_difference(const Image8& a, const Image8& b) {
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.height, b.height);
  int largest = 0;
  for (size_t i = 0; i < std::min(a.rgb.size(), b.rgb.size()); ++i) largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  return largest;
}

std::string refusal(const std::string& bytes) {
  return error_of(ErrorKind::file_format, [&] { see_picture(bytes, "x"); });
}

std::string little_endian(uint32_t value, int size = 4) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> 8 * i);
  return bytes;
}

std::string riff_chunk(const std::string& name, const std::string& data) {
  return name + little_endian(static_cast<uint32_t>(data.size())) + data + std::string(data.size() % 2, 0);
}
std::string riff(const std::string& chunks) {
  return "RIFF" + little_endian(static_cast<uint32_t>(chunks.size() + 4)) + "WEBP" + chunks;
}

// A file with an iCCP chunk of these bytes.
std::string with_profile(std::string png, const std::string& profile) {
  return png.insert(33, chunk("iCCP", std::string("test\0\0", 6) + deflated(profile)));
}

}  // namespace

TEST(ColourProfiles, AreConvertedToSrgbAsPillowDoes) {
  for (const char* name : {"p3.png", "p3_alpha.png", "p3_palette.png", "gamma.png", "tables.png", "grey.png", "grey_alpha.png",
                           "adobe.jpg", "grey.jpg", "segments.jpg", "p3.webp", "adobe_alpha.webp"}) {
    const auto bytes = golden(name);
    const auto [image, profile_fault] = see_picture(bytes, name);
    EXPECT_EQ(profile_fault, "") << name;
    EXPECT_LE(largest_difference(image, seen_by_pillow(name)), 1) << name;
    EXPECT_GT(largest_difference(image, decode_image(bytes, name)), 5) << name;  // else there would be nothing to convert
  }
}

TEST(ColourProfiles, ThatCannotBeAppliedLeaveThePictureAndSayWhy) {
  const std::string plain = encode_png(Image8::filled(3, 2, {200, 40, 90}));
  const std::string grey = png_of(1, 1, 8, 0, std::string("\0\x64", 2));
  const std::string p3 = golden("p3.png");
  const std::string segments = golden("segments.jpg");
  std::string missing = segments;
  missing.replace(missing.find(std::string("ICC_PROFILE\0\1", 13)), 11, "ICC_PROFIL_");  // the first of three
  const std::string webp = golden("still_lossless.webp"), vp8l = webp.substr(12);
  const std::string flags(1, 0x20);
  const std::string broken_webp =
      riff(riff_chunk("VP8X", flags + std::string(3, 0) + little_endian(36, 3) + little_endian(22, 3)) +
           riff_chunk("ICCP", "no profile") + vp8l);
  for (const auto& [what, bytes] :
       std::map<std::string, std::string>{{"no profile in a PNG", with_profile(plain, "no profile")},
                                          {"a PNG's profile cut short", with_profile(plain, std::string(200, 'x'))},
                                          {"a segment missing", missing},
                                          {"no profile in a WebP", broken_webp}}) {
    const auto seen = see_picture(bytes, what);
    EXPECT_NE(seen.profile_fault, "") << what;
    EXPECT_EQ(seen.profile_fault.find('\n'), std::string::npos) << what;
    EXPECT_EQ(seen.image, decode_image(bytes, what)) << what;
  }
  EXPECT_EQ(see_picture(plain, "x").profile_fault, "");
  EXPECT_EQ(see_picture(grey, "x").profile_fault, "");
}

TEST(ColourProfiles, OfAnotherKindOfColourAreNotApplied) {
  // The grey picture's profile behind the colours, and the reverse, in JPEG, which does not check it itself.
  const auto profile_of = [](const std::string& jpeg) {
    const auto at = jpeg.find(std::string("ICC_PROFILE\0", 12)) - 4;
    return jpeg.substr(at, 2 + static_cast<uint8_t>(jpeg[at + 2]) * 256 + static_cast<uint8_t>(jpeg[at + 3]));
  };
  const std::string adobe = golden("adobe.jpg"), grey = golden("grey.jpg");
  const std::string of_colours = profile_of(adobe), of_grey = profile_of(grey);
  const auto exchanged = [](std::string jpeg, const std::string& from, const std::string& to) {
    return jpeg.replace(jpeg.find(from), from.size(), to);
  };
  const auto swapped = exchanged(adobe, of_colours, of_grey), swapped_back = exchanged(grey, of_grey, of_colours);
  EXPECT_EQ(see_picture(swapped, "x").profile_fault, "it is not for RGB pictures");
  EXPECT_EQ(see_picture(swapped, "x").image, decode_image(adobe, "x"));
  EXPECT_EQ(see_picture(swapped_back, "x").profile_fault, "it is not for grey pictures");
  EXPECT_EQ(see_picture(swapped_back, "x").image, decode_image(grey, "x"));
}

TEST(ColourProfiles, DamagedInAnyWayDoNoHarm) {
  const std::string whole = golden("segments.jpg");  // its profile stands as it is in the file
  const auto begin = whole.find("ICC_PROFILE"), end = whole.find("\xff\xdb");
  for (size_t at = begin; at < end; at += 13) {
    std::string damaged = whole;
    damaged[at] ^= static_cast<char>(0xff);
    try {
      const auto seen = see_picture(damaged, "x");
      ASSERT_EQ(seen.image.width, 24) << at;
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::file_format) << at;
    }
  }
}

TEST(WebP, IsWhatPillowReads) {
  for (const char* name :
       {"still_lossy.webp", "still_lossy_alpha.webp", "still_lossless.webp", "still_lossless_alpha.webp", "still_turned.webp"}) {
    EXPECT_EQ(see_picture(golden(name), name).image, seen_by_pillow(name)) << name;
    EXPECT_EQ(picture_format(golden(name)), PictureFormat::webp);
  }
}

TEST(WebP, TransparencyLiesOverTheBackground) {
  const auto bytes = golden("still_lossless_alpha.webp");  // its first column is transparent
  for (const Colour background : {Colour{255, 255, 255}, Colour{10, 200, 30}}) {
    const Image8 image = decode_image(bytes, "x", background);
    EXPECT_EQ((Colour{image.rgb[0], image.rgb[1], image.rgb[2]}), background);
  }
}

TEST(WebP, RefusesEveryTruncationInOneLine) {
  for (const char* name : {"still_lossy_alpha.webp", "still_lossless.webp", "p3.webp"}) {
    const std::string whole = golden(name);
    for (size_t size = 0; size < whole.size(); ++size)
      ASSERT_TRUE(refusal(whole.substr(0, size)).starts_with("[x] is ")) << name << " " << size;
  }
}

TEST(WebP, DamagedInAnyWayIsReadOrRefused) {
  const std::string whole = golden("still_lossy_alpha.webp");
  for (size_t at = 12; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] ^= 0x55;
    try {
      see_picture(damaged, "x");
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::file_format) << at << ": " << error.what();
    }
  }
}

TEST(WebP, RefusesBombsBeforeAllocatingThem) {
  // VP8L: one byte of signature, 14 bits each of width - 1 and height - 1.
  const std::string vp8l = riff(riff_chunk("VP8L", "\x2f" + little_endian(16382 | 16382u << 14) + std::string(20, 0)));
  EXPECT_TRUE(contains(refusal(vp8l), "[x] has 16383x16383 pixels, expected at most 64 million"));
  // VP8X: 24 bits of each.
  const std::string vp8x = riff(riff_chunk("VP8X", std::string(4, 0) + little_endian(99'999, 3) + little_endian(9'999, 3)) +
                                riff_chunk("VP8L", "\x2f" + little_endian(0) + std::string(20, 0)));
  EXPECT_TRUE(refusal(vp8x).starts_with("[x] "));
}

TEST(AnimatedPictures, AreNamed) {
  EXPECT_TRUE(refusal(golden("animated.png")).starts_with("[x] is an animated PNG picture of 3 frames, expected a still one"));
  EXPECT_TRUE(refusal(golden("animated.webp")).starts_with("[x] is an animated WebP picture of 3 frames, expected a still one"));
  EXPECT_TRUE(
      refusal(golden("animated.gif")).starts_with("[x] is an animated GIF picture of 3 frames, expected a PNG, JPEG or WebP"));
  EXPECT_TRUE(refusal(golden("still.gif")).starts_with("[x] is a GIF picture, expected a PNG, JPEG or WebP"));
  // An animation of one frame is a still picture.
  std::string one = golden("p3.png");
  one.insert(33, chunk("acTL", big_endian(1) + big_endian(0)));
  EXPECT_EQ(see_picture(one, "x").image, see_picture(golden("p3.png"), "x").image);
}

TEST(WhatItIs, FollowsTheFirstBytes) {
  const std::pair<std::string, const char*> kinds[] = {
      {"", "an empty file"},
      {"GIF89a", "a GIF picture"},
      {"BM\x36", "a BMP picture"},
      {std::string("II*\0", 4), "a TIFF picture"},
      {std::string("MM\0*", 4), "a TIFF picture"},
      {std::string("\0\0\0\x1c"
                   "ftypheic",
                   12),
       "a HEIC picture"},
      {std::string("\0\0\0\x1c"
                   "ftypmif1",
                   12),
       "a HEIC picture"},
      {std::string("\0\0\0\x1c"
                   "ftypavif",
                   12),
       "an AVIF picture"},
      {std::string("\0\0\0\x1c"
                   "ftypisom",
                   12),
       "a film"},
      {"\xff\x0a", "a JPEG XL picture"},
      {std::string("\0\0\0\x0cJXL \r\n", 10), "a JPEG XL picture"},
      {std::string("\0\0\0\x0cjP  \r\n", 10), "a JPEG 2000 picture"},
      {"8BPS", "a Photoshop picture"},
      {"%PDF-1.7", "a PDF document"},
      {"PK\3\4", "a ZIP archive"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:1", "a Git LFS pointer, not the file itself (try git lfs pull)"},
      {"\n<!DOCTYPE html><html>", "an HTML page"},
      {"<?xml version=\"1.0\"?><svg>", "an SVG drawing"},
      {"hello", "a text file"},
      {std::string("\0\1\2\3", 4), "no picture that is known"},
      {"\xff\xd8\xff\xe0", "a JPEG picture"},
      {"\x89PNG\r\n\x1a\n", "a PNG picture"},
      {"RIFF1234WEBPVP8 ", "a WebP picture"},
      {"RIFF1234WAVE", "a text file"}};
  for (const auto& [bytes, kind] : kinds) EXPECT_EQ(what_it_is(bytes), kind) << bytes;
  for (const char* name : {"a.png", "b.JPG", "c.WebP", "d.jfif", "e.HEIC"}) EXPECT_TRUE(has_picture_name(name)) << name;
  for (const char* name : {"a.txt", "png", ".png", "a.png.txt", "metadata.jsonl"}) EXPECT_FALSE(has_picture_name(name)) << name;
}

TEST(WhatItIs, IsSaidWhereAPngIsNeeded) {
  const TemporaryFolder folder;
  write_atomically(folder / "a.png", golden("grey.jpg"));
  for (const auto& read :
       std::vector<std::function<void()>>{[&] { read_png(folder / "a.png"); }, [&] { read_png_text(folder / "a.png"); }})
    EXPECT_TRUE(contains(error_of(ErrorKind::file_format, read), "a.png] is a JPEG picture, expected a PNG picture"));
}

}  // namespace negativa
