#pragma once
// 8-bit RGB pictures: PNG with text chunks, JPEG, WebP.
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace negativa {

using Colour = std::array<uint8_t, 3>;  // red, green, blue, sRGB as in the file
inline constexpr Colour white = {255, 255, 255};
inline constexpr int64_t max_image_pixels = int64_t{64} << 20;  // larger files are refused before allocation

struct Image8 {
  int width = 0, height = 0;  // px
  std::vector<uint8_t> rgb;   // height * width * 3, rows from the top

  static Image8 filled(int width, int height, Colour colour);
  bool empty() const { return width == 0 || height == 0; }
  uint8_t* pixel(int x, int y) { return &rgb[(static_cast<size_t>(y) * width + x) * 3]; }
  const uint8_t* pixel(int x, int y) const { return &rgb[(static_cast<size_t>(y) * width + x) * 3]; }
  bool operator==(const Image8&) const = default;
};

using TextChunks = std::vector<std::pair<std::string, std::string>>;  // keyword, text (both UTF-8), in file order

struct PngFile {
  Image8 image;
  TextChunks text;
};

// The bytes of a PNG file; the same arguments give the same bytes. Text that fits Latin-1 becomes tEXt, other text iTXt.
// Keywords: 1 to 79 bytes of ASCII. Throws ErrorKind::input.
std::string encode_png(const Image8& image, const TextChunks& text = {});

// Palette, grey and 16-bit files become 8-bit RGB; transparency is flattened over `background`. Colour profiles are not applied.
// Throw ErrorKind::input (cannot be opened) or ErrorKind::file_format in one line (broken, truncated, over max_image_pixels).
PngFile read_png(const std::filesystem::path& path, Colour background = white);
TextChunks read_png_text(const std::filesystem::path& path);  // without decoding the picture
Image8 read_jpeg(const std::filesystem::path& path);
// PNG, JPEG or WebP, told by the first bytes; others and animated ones are refused with what they are. The numbers are those of
// the file.
Image8 read_image(const std::filesystem::path& path, Colour background = white);
Image8 decode_image(std::string_view bytes, std::string_view where, Colour background = white);

// The same as a person sees it: in sRGB, its colour profile applied (image/colour_profile.h), and turned as its EXIF orientation
// says (image/exif.h).
struct SeenPicture {
  Image8 image;
  std::string profile_fault;  // why its profile could not be applied, worth a notice: the colours are taken as sRGB then; empty:
                              // all is well
};
SeenPicture see_picture(std::string_view bytes, std::string_view where, Colour background = white);

// Whether a file's name says that it is meant as a picture, of a format that is read or not.
bool has_picture_name(const std::filesystem::path& file);

PngFile decode_png(std::string_view bytes, std::string_view where, Colour background = white);
Image8 decode_jpeg(std::string_view bytes, std::string_view where);

// Area average when smaller, nearest pixel when larger (each axis by itself): thumbnails and previews, not training data.
Image8 resize_for_display(const Image8& image, int width, int height);

bool is_png_name(const std::filesystem::path& file);  // ends in ".png", whatever its case

// Throws ErrorKind::input for a name to be written (--out) that says another format than PNG.
void check_png_name(const std::filesystem::path& file);

}  // namespace negativa
