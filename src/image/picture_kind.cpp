#include "image/picture_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "base/text.h"

namespace negativa {

namespace {

// 0 beyond the end.
uint32_t big_endian(std::string_view bytes, size_t at) {
  if (at + 4 > bytes.size()) return 0;
  uint32_t value = 0;
  for (size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

size_t byte_at(std::string_view bytes, size_t at) { return at < bytes.size() ? static_cast<uint8_t>(bytes[at]) : 0; }

// Behind a chain of blocks, each its length in a byte and that many bytes, up to an empty one.
size_t behind_blocks(std::string_view bytes, size_t at) {
  while (byte_at(bytes, at) > 0) at += 1 + byte_at(bytes, at);
  return at + 1;
}

size_t behind_colours(size_t flags, size_t at) { return flags & 0x80 ? at + (size_t{3} << ((flags & 7) + 1)) : at; }

// GIF89a specification, sections 18 to 27: header, screen, then extensions (0x21) and pictures (0x2C) up to the trailer.
int gif_frames(std::string_view bytes) {
  int frames = 0;
  size_t at = behind_colours(byte_at(bytes, 10), 13);
  while (at < bytes.size()) {
    const size_t kind = byte_at(bytes, at);
    if (kind == 0x21) {
      at = behind_blocks(bytes, at + 2);
    } else if (kind == 0x2c) {
      ++frames;
      at = behind_blocks(bytes, behind_colours(byte_at(bytes, at + 9), at + 10) + 1);
    } else {
      break;
    }
  }
  return frames;
}

// ISO base media: what "ftyp" at the fourth byte says.
std::string box_kind(std::string_view brand) {
  if (brand == "avif" || brand == "avis") return "an AVIF picture";
  for (const char* known : {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"})
    if (brand == known) return "a HEIC picture";
  return "a film";
}

bool is_text(std::string_view bytes) {
  const auto head = bytes.substr(0, 1024);
  return std::none_of(head.begin(), head.end(),
                      [](char c) { return static_cast<uint8_t>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f'; });
}

std::string text_kind(std::string_view bytes) {
  const std::string head = ascii_lower(bytes.substr(std::min(bytes.find_first_not_of(" \t\r\n\xef\xbb\xbf"), bytes.size()), 512));
  if (head.starts_with("version https://git-lfs")) return "a Git LFS pointer, not the file itself (try git lfs pull)";
  if (head.starts_with("<!doctype html") || head.starts_with("<html")) return "an HTML page";
  if (head.find("<svg") != std::string::npos) return "an SVG drawing";
  return "a text file";
}

struct Magic {
  std::string_view bytes;
  const char* kind;
};
using namespace std::string_view_literals;
constexpr Magic magics[] = {{"BM", "a BMP picture"},
                            {"II\x2a\0"sv, "a TIFF picture"},
                            {"MM\0\x2a"sv, "a TIFF picture"},
                            {"II\x2b\0"sv, "a TIFF picture"},
                            {"MM\0\x2b"sv, "a TIFF picture"},
                            {"\xff\x0a", "a JPEG XL picture"},
                            {"\0\0\0\x0cJXL "sv, "a JPEG XL picture"},
                            {"\0\0\0\x0cjP  "sv, "a JPEG 2000 picture"},
                            {"\xff\x4f\xff\x51", "a JPEG 2000 picture"},
                            {"8BPS", "a Photoshop picture"},
                            {"\0\0\1\0"sv, "an icon"},
                            {"%PDF", "a PDF document"},
                            {"PK\3\4", "a ZIP archive"},
                            {"Rar!", "a RAR archive"}};

}  // namespace

PictureFormat picture_format(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return PictureFormat::png;
  if (bytes.starts_with("\xff\xd8\xff")) return PictureFormat::jpeg;
  if (bytes.starts_with("RIFF") && bytes.substr(std::min<size_t>(8, bytes.size())).starts_with("WEBP"))
    return PictureFormat::webp;
  return PictureFormat::other;
}

uint32_t png_frames(std::string_view bytes) {
  if (picture_format(bytes) != PictureFormat::png) return 1;
  for (size_t at = 8; at + 12 <= bytes.size(); at += size_t{12} + big_endian(bytes, at)) {
    const auto type = bytes.substr(at + 4, 4);
    if (type == "IDAT") break;
    if (type == "acTL") return std::max(1u, big_endian(bytes, at + 8));
  }
  return 1;
}

std::string what_it_is(std::string_view bytes) {
  if (bytes.empty()) return "an empty file";
  switch (picture_format(bytes)) {
    case PictureFormat::png: {
      const auto frames = png_frames(bytes);
      return frames > 1 ? fmt::format("an animated PNG picture of {} frames", frames) : "a PNG picture";
    }
    case PictureFormat::jpeg:
      return "a JPEG picture";
    case PictureFormat::webp:
      return "a WebP picture";
    case PictureFormat::other:
      break;
  }
  if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) {
    const int frames = gif_frames(bytes);
    return frames > 1 ? fmt::format("an animated GIF picture of {} frames", frames) : "a GIF picture";
  }
  for (const auto& [magic, kind] : magics)
    if (bytes.starts_with(magic)) return kind;
  if (bytes.size() >= 12 && bytes.substr(4, 4) == "ftyp") return box_kind(bytes.substr(8, 4));
  return is_text(bytes) ? text_kind(bytes) : "no picture that is known";
}

}  // namespace negativa
