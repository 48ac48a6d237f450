#pragma once
// Two pictures as files that differ in their pixels alone.
#include <string>
#include <utility>

#include "image/image.h"

namespace negativa {

// PNG files of one size in bytes, a multiple of equal_png_bytes: each is filled up by an ancillary chunk ("neGa", private, safe
// to copy) of bytes that do not compress. No text, profile or time is in them. Throws ErrorKind::input as encode_png does.
std::pair<std::string, std::string> equal_pngs(const Image8& first, const Image8& second);
inline constexpr size_t equal_png_bytes = 16384;

}  // namespace negativa
