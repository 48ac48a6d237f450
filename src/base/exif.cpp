#include "base/exif.h"

#include <algorithm>
#include <cstdint>

namespace negativa {

namespace {

// A view that is empty beyond its end, so that damaged offsets read nothing.
std::string_view part(std::string_view bytes, size_t begin, size_t size = std::string_view::npos) {
  return begin > bytes.size() ? std::string_view() : bytes.substr(begin, size);
}

// 0 beyond the end.
uint32_t number(std::string_view bytes, size_t begin, size_t size, bool little_endian) {
  const auto digits = part(bytes, begin, size);
  if (digits.size() < size) return 0;
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(digits[little_endian ? size - 1 - i : i]);
  return value;
}

constexpr std::string_view exif_prefix("Exif\0\0", 6);

// From the start of the picture to its first scan: 0xFF, kind, length (2 bytes, itself included), data. ITU-T T.81, B.1.
std::string_view exif_of_jpeg(std::string_view bytes) {
  size_t at = 2;
  while (at + 4 <= bytes.size() && static_cast<uint8_t>(bytes[at]) == 0xff) {
    const auto kind = static_cast<uint8_t>(bytes[at + 1]);
    if (kind == 0xff) {  // fill byte
      ++at;
      continue;
    }
    if (kind == 0xda || kind == 0xd9) break;  // the first scan; the end
    const size_t size = number(bytes, at + 2, 2, false);
    if (size < 2) break;
    const auto data = part(bytes, at + 4, size - 2);
    if (kind == 0xe1 && data.starts_with(exif_prefix)) return part(data, exif_prefix.size());
    at += 2 + size;
  }
  return {};
}

// Length, type, data, checksum; the chunk may stand behind the picture.
std::string_view exif_of_png(std::string_view bytes) {
  for (size_t at = 8; at + 12 <= bytes.size();) {
    const size_t size = number(bytes, at, 4, false);
    if (part(bytes, at + 4, 4) == "eXIf") {
      const auto data = part(bytes, at + 8, size);
      return data.starts_with(exif_prefix) ? part(data, exif_prefix.size()) : data;  // some writers keep JPEG's prefix
    }
    at += size + 12;
  }
  return {};
}

// TIFF 6.0, section 2: byte order, 42, offset of the first directory; that is a count and entries of 12 bytes: tag, type, count, value.
int orientation_of_tiff(std::string_view tiff) {
  constexpr uint32_t orientation_tag = 0x0112, short_type = 3, long_type = 4;
  const bool little = tiff.starts_with("II");
  if ((!little && !tiff.starts_with("MM")) || number(tiff, 2, 2, little) != 42) return 1;
  const size_t directory = number(tiff, 4, 4, little);
  const uint32_t entries = number(tiff, directory, 2, little);
  for (size_t i = 0; i < entries; ++i) {
    const auto entry = part(tiff, directory + 2 + 12 * i, 12);
    if (entry.size() < 12) break;
    if (number(entry, 0, 2, little) != orientation_tag) continue;
    const uint32_t type = number(entry, 2, 2, little);
    if (type != short_type && type != long_type) break;
    const uint32_t value = number(entry, 8, type == short_type ? 2 : 4, little);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

}  // namespace

int exif_orientation(std::string_view file_bytes) {
  if (file_bytes.starts_with("\xff\xd8")) return orientation_of_tiff(exif_of_jpeg(file_bytes));
  if (file_bytes.starts_with("\x89PNG")) return orientation_of_tiff(exif_of_png(file_bytes));
  return 1;
}

Image8 turned_upright(const Image8& image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const bool sideways = orientation >= 5;
  Image8 result = Image8::filled(sideways ? image.height : image.width, sideways ? image.width : image.height, white);
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  for (int y = 0; y < result.height; ++y)
    for (int x = 0; x < result.width; ++x) {
      const int column = sideways ? y : x, row = sideways ? x : y;
      const uint8_t* source = image.pixel(from_right ? image.width - 1 - column : column, from_bottom ? image.height - 1 - row : row);
      std::copy(source, source + 3, result.pixel(x, y));
    }
  return result;
}

Image8 mirrored(const Image8& image) { return turned_upright(image, 2); }

}  // namespace negativa
