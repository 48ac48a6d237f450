#include "report/page_pictures.h"

#include <algorithm>
#include <array>
#include <fstream>

#include "base/error.h"
#include "base/files.h"
#include "base/names.h"
#include "image/resize.h"
#include "report/html.h"

namespace negativa {

namespace {

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
         c == '~' || c == '/';
}

// Longer side thumbnail_px.
Image8 shrunk(const Image8& image) {
  const double scale = static_cast<double>(thumbnail_px) / std::max(image.width, image.height);
  const auto side = [&](int px) { return std::max(1, static_cast<int>(px * scale + 0.5)); };
  return resize(image, side(image.width), side(image.height), Filter::lanczos);
}

bool is_small(int width, int height) { return std::max(width, height) <= small_picture_px; }

}  // namespace

std::string relative_url(std::string_view path) {
  std::string url;
  for (const char c : path) url += is_unreserved(c) ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return url;
}

// From the first 24 bytes: signature, then the IHDR chunk, width and height in big-endian order (PNG specification, 11.2.1).
std::optional<std::pair<int, int>> PagePictures::size_of(const std::filesystem::path& file) {
  std::array<unsigned char, 24> head{};
  std::ifstream(file, std::ios::binary).read(reinterpret_cast<char*>(head.data()), head.size());
  constexpr std::array<unsigned char, 8> signature = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a};
  const auto number = [&](size_t at) { return head[at] << 24 | head[at + 1] << 16 | head[at + 2] << 8 | head[at + 3]; };
  const int width = number(16), height = number(20);
  const bool is_png = std::equal(signature.begin(), signature.end(), head.begin()) && width > 0 && height > 0;
  if (is_png) return std::pair{width, height};
  notices_.push_back(fmt::format("[{}] is no PNG, it is not shown", file.string()));
  return {};
}

std::string PagePictures::thumbnail(const PlannedCell& cell) {
  const std::string name = std::string(names::thumbnails_folder) + "/" + std::filesystem::path(cell.file).filename().string();
  const auto file = store_.folder() / name;
  if (std::filesystem::exists(file)) return name;
  make_folder(file.parent_path());
  write_atomically(file, encode_png(shrunk(read_png(store_.path(cell)).image)));
  return name;
}

PagePicture PagePictures::linked(const PlannedCell& cell) {
  const auto size = size_of(store_.path(cell));
  if (!size) return {};
  const std::string shown = is_small(size->first, size->second) ? cell.file : thumbnail(cell);
  return {relative_url(shown), relative_url(cell.file), size->first, size->second};
}

PagePicture PagePictures::embedded(const PlannedCell& cell) {
  const auto size = size_of(store_.path(cell));
  if (!size) return {};
  const std::string bytes =
      is_small(size->first, size->second) ? read_file(store_.path(cell)) : encode_png(shrunk(read_png(store_.path(cell)).image));
  return {"data:image/png;base64," + base64(bytes), "", size->first, size->second};
}

}  // namespace negativa
