#include <algorithm>

#include "base/config_reader.h"
#include "base/file_names.h"
#include "base/files.h"
#include "base/names.h"
#include "io/model_files.h"
#include "io/part_folder.h"
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
  static constexpr const char* classes[] = {unet_class};
  auto part = open_part_folder(path, {names::unet, "UNet", classes, "a UNet2DConditionModel"});
  return {path, fs::canonical(path).filename(), part.config_json, part.config_name, std::move(part.weights), part.files};
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
