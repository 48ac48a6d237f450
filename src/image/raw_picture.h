#pragma once
// A picture as its decoder hands it over, before colour profile, transparency and orientation are applied. For the readers of
// image/image.h.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "image/image.h"

namespace negativa {

struct RawPicture {
  int width = 0, height = 0;    // px; together at most max_image_pixels
  int channels = 3;             // 3: RGB; 4: RGBA, not premultiplied
  bool is_grey = false;         // the file has one channel of colour: red, green and blue are equal
  std::vector<uint8_t> pixels;  // height * width * channels, rows from the top
  std::string profile;          // ICC; empty: none
  std::string profile_fault;    // why the file's profile could not be taken out of it; empty: it could, or there is none
  std::string exif;             // with or without JPEG's prefix; empty: none
};

// Throw ErrorKind::file_format in one line (broken, ends early, over max_image_pixels before anything is allocated, animated).
RawPicture read_raw_png(std::string_view bytes, std::string_view where);
RawPicture read_raw_jpeg(std::string_view bytes, std::string_view where);
RawPicture read_raw_webp(std::string_view bytes, std::string_view where);

// Transparency laid over the background.
Image8 flattened(RawPicture picture, Colour background);

// Throws for a picture of too many pixels.
void check_pixels(int64_t width, int64_t height, std::string_view where);

}  // namespace negativa
