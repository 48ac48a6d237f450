#include "io/file_kind.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file_names.h"

namespace negativa {

namespace {

using namespace std::string_view_literals;

constexpr size_t looked_at = 512;

constexpr FileKind git_lfs = {"a git-LFS pointer, a note of where the file lies",
                              "fetch the file itself with git lfs pull, or download it from the site"};
constexpr FileKind web_page = {"a web page (HTML or XML), such as a site sends instead of a file that needs a login",
                               "open the link in a browser and download the file itself"};
constexpr FileKind json_text = {"a JSON text, such as a server's error message or a config",
                                "look into it; download the file itself"};
constexpr FileKind gguf = {"a GGUF file, quantised for llama.cpp, stable-diffusion.cpp and ComfyUI-GGUF",
                           "take the safetensors file it was made from"};
constexpr FileKind pickle = {"a pickle (.ckpt, .pt, .pth, .bin)",
                             "convert it with negativa lora convert or negativa model convert, which run nothing of it"};
constexpr FileKind zip = {"a ZIP archive", "unpack it and give the .safetensors in it"};
constexpr FileKind archive = {"a packed archive", "unpack it and give the .safetensors in it"};
constexpr FileKind jpeg = {"a JPEG picture", "the preview was downloaded instead of the file; download the file itself"};
constexpr FileKind png = {"a PNG picture", "the preview was downloaded instead of the file; download the file itself"};
constexpr FileKind webp = {"a WebP picture", "the preview was downloaded instead of the file; download the file itself"};
constexpr FileKind gif = {"a GIF picture", "the preview was downloaded instead of the file; download the file itself"};
constexpr FileKind zeros = {"zero bytes, as a download leaves that was begun and not finished", "download it again"};

struct Magic {
  std::string_view bytes;
  const FileKind* kind;
};
constexpr Magic magics[] = {
    {"version https://git-lfs"sv, &git_lfs},
    {"GGUF"sv, &gguf},
    {"\x89PNG\r\n\x1a\n"sv, &png},
    {"\xff\xd8\xff"sv, &jpeg},
    {"GIF8"sv, &gif},
    {"\x1f\x8b"sv, &archive},
    {"7z\xbc\xaf\x27\x1c"sv, &archive},
    {"Rar!\x1a\x07"sv, &archive},
    {"\xfd"
     "7zXZ\0"sv,
     &archive},
    {"BZh"sv, &archive},
    {"\x28\xb5\x2f\xfd"sv, &archive},
};

// A header's length of at most 100 million, little endian: then the file is a safetensors file, sound or damaged, whatever its
// first letters look like.
bool begins_with_a_length(std::string_view bytes) {
  return bytes.size() >= 8 && bytes.substr(4, 4) == "\0\0\0\0"sv && static_cast<uint8_t>(bytes[3]) <= 5;
}

bool is_safetensors(std::string_view bytes) { return begins_with_a_length(bytes) && bytes.size() > 8 && bytes[8] == '{'; }

// Protocols 2 to 5 begin so; in the older ones, which are text, torch.save begins with its magic number.
bool is_raw_pickle(std::string_view bytes) {
  if (bytes.starts_with("L119547037146038801333356L\n")) return true;
  return bytes.size() > 2 && bytes[0] == '\x80' && bytes[1] >= 2 && bytes[1] <= 5;
}

bool is_text_of(std::string_view bytes, std::string_view begins) {
  bytes.remove_prefix(bytes.starts_with("\xef\xbb\xbf") ? 3 : 0);
  bytes.remove_prefix(std::min(bytes.find_first_not_of(" \t\r\n"), bytes.size()));
  return begins.find(bytes.empty() ? '\0' : bytes.front()) != std::string_view::npos;
}

const FileKind* kind_of(std::string_view bytes) {
  if (bytes.size() > 8 && bytes.find_first_not_of('\0') == std::string_view::npos) return &zeros;
  if (begins_with_a_length(bytes)) return nullptr;
  for (const auto& [magic, kind] : magics)
    if (bytes.starts_with(magic)) return kind;
  if (bytes.starts_with("RIFF") && bytes.substr(std::min<size_t>(8, bytes.size())).starts_with("WEBP")) return &webp;
  // PyTorch's own container is a ZIP whose first entries are NAME/data.pkl and NAME/version.
  if (bytes.starts_with("PK\x03\x04")) return bytes.find("data.pkl") != std::string_view::npos ? &pickle : &zip;
  if (is_raw_pickle(bytes)) return &pickle;
  if (is_text_of(bytes, "<")) return &web_page;
  return is_text_of(bytes, "{[") ? &json_text : nullptr;
}

bool has_a_pickles_name(const std::filesystem::path& name) {
  return name.extension() == ".pkl" || (has_weights_name(name) && name.extension() != weights_endings().front());
}

}  // namespace

bool has_weights_name(const std::filesystem::path& file) {
  const auto endings = weights_endings();
  return std::find(endings.begin(), endings.end(), file.extension()) != endings.end();
}

std::optional<FileKind> foreign_file_kind(std::span<const uint8_t> first_bytes, const std::filesystem::path& name) {
  const std::string_view bytes(reinterpret_cast<const char*>(first_bytes.data()), std::min(first_bytes.size(), looked_at));
  if (const auto* kind = kind_of(bytes)) return kind == &zip && has_a_pickles_name(name) ? pickle : *kind;
  if (!is_safetensors(bytes) && has_a_pickles_name(name)) return pickle;
  return {};
}

std::optional<FileKind> foreign_file_kind(const std::filesystem::path& path) {
  std::vector<uint8_t> bytes(looked_at);
  std::error_code not_there;
  std::ifstream file;
  if (std::filesystem::is_regular_file(path, not_there))
    file.open(path, std::ios::binary);  // opening a pipe would wait for its other end
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<size_t>(file.gcount()));
  return foreign_file_kind(bytes, path);
}

bool may_be_pickle(const std::filesystem::path& path) {
  const auto kind = foreign_file_kind(path);
  return kind && kind->is == pickle.is;
}

void check_not_foreign(const std::filesystem::path& path) {
  if (const auto kind = foreign_file_kind(path))
    fail(ErrorKind::file_format, "[{}] is {}, expected a safetensors file; {}", path.string(), kind->is, kind->advice);
}

}  // namespace negativa
