#include "image/exif.h"

#include <libexif/exif-data.h>

#include <algorithm>
#include <cstdint>
#include <memory>

namespace negativa {

namespace {

constexpr std::string_view exif_prefix("Exif\0\0", 6);

struct Unref {
  void operator()(ExifData* data) const { exif_data_unref(data); }
};

}  // namespace

int exif_orientation(std::string_view exif) {
  const std::string block = (exif.starts_with(exif_prefix) ? "" : std::string(exif_prefix)) + std::string(exif);
  const std::unique_ptr<ExifData, Unref> data(exif_data_new());
  if (!data) return 1;
  exif_data_unset_option(data.get(), EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);  // read, do not mend
  exif_data_load_data(data.get(), reinterpret_cast<const unsigned char*>(block.data()), static_cast<unsigned>(block.size()));
  const ExifEntry* entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (!entry || !entry->data || entry->components < 1) return 1;
  const ExifByteOrder order = exif_data_get_byte_order(data.get());
  uint32_t value = 1;
  if (entry->format == EXIF_FORMAT_SHORT && entry->size >= 2) value = exif_get_short(entry->data, order);
  if (entry->format == EXIF_FORMAT_LONG && entry->size >= 4) value = exif_get_long(entry->data, order);
  return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
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
      const uint8_t* source =
          image.pixel(from_right ? image.width - 1 - column : column, from_bottom ? image.height - 1 - row : row);
      std::copy(source, source + 3, result.pixel(x, y));
    }
  return result;
}

Image8 mirrored(const Image8& image) { return turned_upright(image, 2); }

}  // namespace negativa
