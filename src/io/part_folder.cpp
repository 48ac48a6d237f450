#include "io/part_folder.h"

#include <algorithm>

#include "base/config_reader.h"
#include "base/files.h"
#include "base/names.h"

namespace negativa {

namespace fs = std::filesystem;

PartFolder open_part_folder(const fs::path& path, const PartKind& kind) {
  auto folder = path;
  if (!fs::exists(path / names::config)) folder = find_part_folder(path, kind.part).value_or(path);
  const auto config = folder / names::config;
  check(fs::exists(config), ErrorKind::input, "[{}] is no {}: it holds neither {} nor a folder {}", path.string(), kind.noun,
        names::config, kind.part);
  const auto reader = ConfigReader::of(read_json_file(config), config.string());
  const auto given = reader.get<std::string>("_class_name", kind.classes.front());
  check(std::find(kind.classes.begin(), kind.classes.end(), given) != kind.classes.end(), ErrorKind::input,
        "[{}] is a {}, expected {}", config.string(), given, kind.expected);
  const auto found = find_weight_files(folder, fs::path(names::diffusion_weights).stem());
  PartFolder part{read_file(config), config.string(), read_part(kind.part, found), found.shards};
  part.files.push_back(config);
  if (!found.index.empty()) part.files.push_back(found.index);
  std::sort(part.files.begin(), part.files.end());
  return part;
}

}  // namespace negativa
