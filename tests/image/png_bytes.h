#pragma once
// PNG files byte by byte, hostile ones too.
#include <zlib.h>

#include <string>

namespace negativa::test {

inline std::string big_endian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

inline std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const auto crc = ::crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<uint32_t>(data.size())) + body + big_endian(static_cast<uint32_t>(crc));
}

inline std::string deflated(const std::string& data) {
  uLongf size = compressBound(data.size());
  std::string out(size, 0);
  compress(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(data.data()), data.size());
  out.resize(size);
  return out;
}

inline const std::string png_signature = "\x89PNG\r\n\x1a\n";

// bits and colour type as in the PNG specification, 11.2.2; `rows` with their filter bytes.
inline std::string png_of(uint32_t width, uint32_t height, char bits, char colour_type, const std::string& rows,
                          const std::string& extra = "") {
  const std::string header = big_endian(width) + big_endian(height) + std::string{bits, colour_type, 0, 0, 0};
  return png_signature + chunk("IHDR", header) + extra + chunk("IDAT", deflated(rows)) + chunk("IEND", "");
}

}  // namespace negativa::test
