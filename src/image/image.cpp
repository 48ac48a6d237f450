#include "image/image.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/file_names.h"
#include "base/files.h"
#include "base/text.h"
#include "image/colour_profile.h"
#include "image/exif.h"
#include "image/picture_kind.h"
#include "image/raw_picture.h"

namespace negativa {

namespace {

constexpr std::string_view picture_extensions[] = {".png", ".apng", ".jpg",  ".jpeg", ".jpe",  ".jfif", ".webp", ".gif",
                                                   ".bmp", ".tif",  ".tiff", ".avif", ".heic", ".heif", ".jxl",  ".jp2"};

RawPicture read_raw(std::string_view bytes, std::string_view where) {
  switch (picture_format(bytes)) {
    case PictureFormat::png:
      return read_raw_png(bytes, where);
    case PictureFormat::jpeg:
      return read_raw_jpeg(bytes, where);
    case PictureFormat::webp:
      return read_raw_webp(bytes, where);
    case PictureFormat::other:
      break;
  }
  fail(ErrorKind::file_format, "[{}] is {}, expected a PNG, JPEG or WebP picture", where, what_it_is(bytes));
}

// Which source pixels one target pixel covers along an axis, and how much of each.
struct Span {
  int first;
  std::vector<float> weights;  // sum 1
};

std::vector<Span> spans(int from, int to) {
  std::vector<Span> result(static_cast<size_t>(to));
  for (int i = 0; i < to; ++i) {
    Span& span = result[static_cast<size_t>(i)];
    if (to >= from) {
      span = {static_cast<int>((2 * int64_t{i} + 1) * from / (2 * int64_t{to})), {1.0f}};
      continue;
    }
    const double begin = static_cast<double>(i) * from / to, end = static_cast<double>(i + 1) * from / to;
    span.first = static_cast<int>(begin);
    for (int source = span.first; source < from && source < end - 1e-9; ++source)
      span.weights.push_back(
          static_cast<float>((std::min<double>(end, source + 1) - std::max<double>(begin, source)) / (end - begin)));
  }
  return result;
}

}  // namespace

Image8 Image8::filled(int width, int height, Colour colour) {
  Image8 image{width, height, std::vector<uint8_t>(static_cast<size_t>(width) * static_cast<size_t>(height) * 3)};
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = colour[i % 3];
  return image;
}

PngFile read_png(const std::filesystem::path& path, Colour background) {
  return decode_png(read_file(path), path.string(), background);
}

Image8 read_jpeg(const std::filesystem::path& path) { return decode_jpeg(read_file(path), path.string()); }

Image8 read_image(const std::filesystem::path& path, Colour background) {
  return decode_image(read_file(path), path.string(), background);
}

Image8 decode_image(std::string_view bytes, std::string_view where, Colour background) {
  return flattened(read_raw(bytes, where), background);
}

SeenPicture see_picture(std::string_view bytes, std::string_view where, Colour background) {
  RawPicture raw = read_raw(bytes, where);
  const int orientation = exif_orientation(raw.exif);
  SeenPicture seen;
  seen.profile_fault = convert_to_srgb(raw);
  seen.image = turned_upright(flattened(std::move(raw), background), orientation);
  return seen;
}

bool has_picture_name(const std::filesystem::path& file) {
  return std::find(std::begin(picture_extensions), std::end(picture_extensions), lower_extension(file)) !=
         std::end(picture_extensions);
}

void check_pixels(int64_t width, int64_t height, std::string_view where) {
  check(width * height <= max_image_pixels, ErrorKind::file_format,
        "[{}] has {}x{} pixels, expected at most {} million; make it smaller", where, width, height, max_image_pixels >> 20);
}

Image8 flattened(RawPicture picture, Colour background) {
  if (picture.channels == 3) return {picture.width, picture.height, std::move(picture.pixels)};
  const auto& rgba = picture.pixels;
  Image8 image{picture.width, picture.height, std::vector<uint8_t>(rgba.size() / 4 * 3)};
  for (size_t i = 0; i < rgba.size() / 4; ++i) {
    const int alpha = rgba[4 * i + 3];
    for (size_t c = 0; c < 3; ++c)
      image.rgb[3 * i + c] = static_cast<uint8_t>((rgba[4 * i + c] * alpha + background[c] * (255 - alpha) + 127) / 255);
  }
  return image;
}

Image8 resize_for_display(const Image8& image, int width, int height) {
  if (image.empty() || (image.width == width && image.height == height)) return image;
  Image8 result = Image8::filled(std::max(1, width), std::max(1, height), white);
  const auto columns = spans(image.width, result.width), rows = spans(image.height, result.height);
  for (int y = 0; y < result.height; ++y)
    for (int x = 0; x < result.width; ++x) {
      const Span &column = columns[static_cast<size_t>(x)], &row = rows[static_cast<size_t>(y)];
      float sum[3] = {};
      for (size_t j = 0; j < row.weights.size(); ++j)
        for (size_t i = 0; i < column.weights.size(); ++i) {
          const uint8_t* source = image.pixel(column.first + static_cast<int>(i), row.first + static_cast<int>(j));
          for (int c = 0; c < 3; ++c) sum[c] += row.weights[j] * column.weights[i] * source[c];
        }
      for (int c = 0; c < 3; ++c) result.pixel(x, y)[c] = static_cast<uint8_t>(std::clamp(std::lround(sum[c]), 0l, 255l));
    }
  return result;
}

bool is_png_name(const std::filesystem::path& file) { return ascii_lower(file.native()).ends_with(".png"); }

void check_png_name(const std::filesystem::path& file) {
  check(file.extension().empty() || is_png_name(file), ErrorKind::input, "[--out] got {}, expected a .png file; try -o {}",
        file.string(), std::filesystem::path(file).replace_extension(".png").string());
}

}  // namespace negativa
