#include "base/file_names.h"

#include "base/text.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

bool is_ascii(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  return true;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) { return a == b || nfc(a) == nfc(b); }

std::span<const char* const> weights_endings() {
  static constexpr const char* endings[] = {".safetensors", ".ckpt", ".pt", ".pth", ".bin"};
  return endings;
}

std::string lower_extension(const fs::path& file) { return ascii_lower(file.extension().string()); }

const std::map<std::string, std::string>& StoredNames::entries(const fs::path& folder) {
  const auto [found, is_new] = folders_.try_emplace(folder);
  if (!is_new) return found->second;
  std::error_code error;
  for (fs::directory_iterator entry(folder.empty() ? fs::path(".") : folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const auto name = entry->path().filename().string();
    const auto [known, added] = found->second.emplace(nfc(name), name);
    if (!added && name < known->second) known->second = name;
  }
  return found->second;
}

fs::path StoredNames::path_of(const fs::path& path) {
  if (path.empty() || is_there(path) || is_ascii(path.native())) return path;
  const fs::path name = path.filename();
  if (!path.has_relative_path()) return path;
  const fs::path folder = path.has_parent_path() ? path_of(path.parent_path()) : fs::path();
  if (name.empty()) return folder / "";
  if (is_there(folder / name)) return folder / name;
  const auto& known = entries(folder);
  const auto stored = known.find(nfc(name.native()));
  return stored == known.end() ? path : folder / stored->second;
}

fs::path stored_path(const fs::path& path) { return StoredNames().path_of(path); }

std::string last_name(const std::filesystem::path& path) {
  const auto whole = std::filesystem::absolute(path).lexically_normal();
  return nfc((whole.has_filename() ? whole : whole.parent_path()).filename().string());
}

}  // namespace negativa
