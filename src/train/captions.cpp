#include "train/captions.h"

#include <algorithm>
#include <sstream>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/text.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t max_caption_bytes = 1 << 20, max_metadata_bytes = uint64_t{256} << 20;
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

// A text file may come from any system: its mark goes, and the line ends behind the text.
std::string stripped(std::string text) {
  if (text.starts_with(byte_order_mark)) text.erase(0, byte_order_mark.size());
  text.erase(text.find_last_not_of("\r\n") + 1);
  return text;
}

// Symbolic links resolved.
bool lies_inside(const fs::path& folder, const fs::path& file) {
  std::error_code error;
  const auto target = fs::weakly_canonical(file, error).lexically_relative(fs::canonical(folder));
  return !error && !target.empty() && *target.begin() != "..";
}

// A training set may come from anywhere: its list must not make us read what lies outside of it.
std::string name_inside(const fs::path& folder, const std::string& file_name, StoredNames& stored, const std::string& where) {
  const fs::path name(file_name);
  const bool leads_out = !name.has_filename() || name.is_absolute() || std::find(name.begin(), name.end(), "..") != name.end() ||
                         file_name.find('\0') != std::string::npos;
  check(!leads_out, ErrorKind::input, "[{}] got file_name {}, expected a file inside the folder", where, json_excerpt(file_name));
  const fs::path found = stored.path_of(folder / name);
  check(lies_inside(folder, found), ErrorKind::input,
        "[{}] got file_name {}, a link that leads out of the folder; copy the file into it", where, json_excerpt(file_name));
  return found.lexically_relative(folder).lexically_normal().generic_string();
}

fs::file_type type_of(const fs::path& path) {
  std::error_code ignored;
  return fs::status(path, ignored).type();
}

}  // namespace

MetadataCaptions read_metadata_captions(const fs::path& folder, StoredNames& stored) {
  const auto path = folder / names::metadata_jsonl;
  MetadataCaptions captions;
  if (type_of(path) == fs::file_type::not_found) return captions;
  check(type_of(path) == fs::file_type::regular, ErrorKind::input, "[{}] is no file", path.string());
  check(lies_inside(folder, path), ErrorKind::input, "[{}] is a link that leads out of the folder; copy the file into it",
        path.string());
  std::istringstream lines(read_file(path, max_metadata_bytes));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    const auto where = fmt::format("{}:{}", path.string(), ++number);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Json object = parse_json(line, where);
    const auto name = name_inside(folder, get<std::string>(object, "file_name", where), stored, where);
    const auto text = object.contains("text") ? std::optional(get<std::string>(object, "text", where)) : std::nullopt;
    check(captions.emplace(name, text).second, ErrorKind::file_format, "[{}] names {} a second time; keep one of its lines",
          where, name);
  }
  return captions;
}

std::string caption_of(const fs::path& folder, const std::string& name, const MetadataCaptions& metadata, StoredNames& stored) {
  const auto listed = metadata.find(name);
  const auto in_metadata = listed == metadata.end() ? std::nullopt : listed->second;
  const auto beside = fs::path(name).replace_extension(names::caption_extension).generic_string();
  const fs::path file = stored.path_of(folder / beside);
  if (type_of(file) == fs::file_type::not_found) {
    check(in_metadata.has_value(), ErrorKind::input, "[{}] has no caption: neither {} nor a \"text\" in {}", name, beside,
          names::metadata_jsonl);
    return *in_metadata;
  }
  check(type_of(file) == fs::file_type::regular, ErrorKind::input, "[{}] has a caption {} that is no file", name, beside);
  // Captions end in the trained file: a set that comes from anywhere must not put other files of this machine there.
  check(lies_inside(folder, file), ErrorKind::input,
        "[{}] has a caption {}, a link that leads out of the folder; copy the file into it", name, beside);
  const auto text = read_file(file, max_caption_bytes);
  check(valid_utf8(text) == text && text.find('\0') == std::string::npos, ErrorKind::file_format,
        "[{}] has a caption {} that is not UTF-8 text; save it as UTF-8", name, beside);
  const auto caption = stripped(text);
  check(!in_metadata || *in_metadata == caption, ErrorKind::input,
        "[{}] has two captions that differ, in {} and in {}; remove one", name, beside, names::metadata_jsonl);
  return caption;
}

}  // namespace negativa
