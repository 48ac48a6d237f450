#include "image/equal_pngs.h"

#include <zlib.h>

#include <algorithm>

#include "base/split_mix.h"

namespace negativa {

namespace {

constexpr size_t chunk_frame = 12;        // length, type, CRC: PNG specification, 5.3
constexpr size_t end_of_header = 8 + 25;  // the signature and IHDR
constexpr const char* filler_type = "neGa";

std::string big_endian(uint32_t number) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(number >> shift & 0xff);
  return bytes;
}

std::string filled_to(std::string png, size_t size, uint64_t seed) {
  std::string content = filler_type;
  SplitMix random(seed);
  for (size_t left = size - png.size() - chunk_frame; left > 0; --left) content += static_cast<char>(random.next() & 0xff);
  const auto crc = ::crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()));
  png.insert(end_of_header,
             big_endian(static_cast<uint32_t>(content.size() - 4)) + content + big_endian(static_cast<uint32_t>(crc)));
  return png;
}

}  // namespace

std::pair<std::string, std::string> equal_pngs(const Image8& first, const Image8& second) {
  std::string a = encode_png(first), b = encode_png(second);
  const size_t least = std::max(a.size(), b.size()) + chunk_frame;
  const size_t size = (least + equal_png_bytes - 1) / equal_png_bytes * equal_png_bytes;
  return {filled_to(std::move(a), size, 1), filled_to(std::move(b), size, 2)};
}

}  // namespace negativa
