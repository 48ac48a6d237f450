#include <algorithm>

#include "base/config_reader.h"
#include "base/file_names.h"
#include "base/files.h"
#include "base/names.h"
#include "io/model_files.h"
#include "io/prediction_marks.h"
#include "io/single_file.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

constexpr const char* unet_class = "UNet2DConditionModel";

std::string stem() { return fs::path(names::diffusion_weights).stem(); }

std::string class_of(const fs::path& config) {
  return ConfigReader::of(read_json_file(config), config.string()).get<std::string>("_class_name", unet_class);
}

UNetFiles open_folder(const fs::path& path) {
  auto folder = path;
  if (!fs::exists(path / names::config)) folder = find_part_folder(path, names::unet).value_or(path);
  const auto config = folder / names::config;
  check(fs::exists(config), ErrorKind::input, "[{}] is no UNet: it holds neither {} nor a folder {}", path.string(),
        names::config, names::unet);
  check(class_of(config) == unet_class, ErrorKind::input, "[{}] is a {}, expected a {}", config.string(), class_of(config),
        unet_class);
  const auto found = find_weight_files(folder, stem());
  UNetFiles unet{.path = path, .name = fs::canonical(path).filename(), .config_json = read_file(config), .config_name = config};
  unet.weights = read_part(names::unet, found);
  unet.files = found.shards;
  unet.files.push_back(config);
  if (!found.index.empty()) unet.files.push_back(found.index);
  std::sort(unet.files.begin(), unet.files.end());
  return unet;
}

// Metadata, or config.json beside a file of a diffusers folder.
void read_config(UNetFiles& unet) {
  const auto beside = unet.path.parent_path() / names::config;
  if (auto given = metadata_config_json(*unet.file, names::unet)) {
    unet.config_json = *given;
    unet.config_name = unet.path.string() + ", UNet";
  } else if (unet.name.starts_with(stem()) && fs::exists(beside) && class_of(beside) == unet_class) {
    unet.config_json = read_file(beside);
    unet.config_name = beside;
    unet.files.push_back(beside);
    std::sort(unet.files.begin(), unet.files.end());
  }
}

void read_marks(UNetFiles& unet) {
  const auto marks = read_prediction_marks(*unet.file);
  check(marks.latents_mean.empty(), ErrorKind::input,
        "[{}] is a model that scales its latents (edm_mean), as Playground 2.5 does; give it whole, with -m", unet.path.string());
  if (!marks.type_source.empty() || !marks.zero_snr_source.empty() || !marks.unclear.empty() || marks.edm)
    unet.scheduler_json = scheduler_config_json(marks);
}

}  // namespace

UNetFiles open_unet(const fs::path& given) {
  const fs::path path = stored_path(given);
  check(fs::exists(path), ErrorKind::input, "[{}] is not there, expected a UNet's file or folder", path.string());
  if (fs::is_directory(path)) return open_folder(path);
  UNetFiles unet{.path = path, .name = fs::canonical(path).filename(), .files = {path}};
  unet.file = open_tensor_file(path);
  unet.weights = unet_weights(unet.file);
  read_config(unet);
  read_marks(unet);
  return unet;
}

}  // namespace negativa
