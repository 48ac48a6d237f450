#include "io/model_files.h"

#include <algorithm>
#include <cstdlib>

#include "base/config_reader.h"
#include "base/file_names.h"
#include "base/names.h"
#include "base/text.h"
#include "io/model_config.h"
#include "io/models_folder.h"
#include "io/part_folder.h"
#include "io/single_file.h"
#include "io/tiny_vae.h"
#include "io/weight_files.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {
// Folder in a models folder that holds SDXL's own tokenizer and tokenizer_2, for single files, which carry none.
constexpr const char* clip_tokenizer = "clip-tokenizer";
constexpr const char* folder_parts[] = {names::unet,      names::vae,         names::text_encoder, names::text_encoder_2,
                                        names::tokenizer, names::tokenizer_2, names::scheduler};

bool is_tokenizer(const std::string& part) { return part == names::tokenizer || part == names::tokenizer_2; }

// File names without their extension, as diffusers and transformers save weights.
std::string weight_stem(const std::string& part) {
  return fs::path(part == names::unet || part == names::vae ? names::diffusion_weights : names::text_weights).stem();
}

fs::path part_folder(const ModelFiles& model, const std::string& part) {
  check(model.has(part), ErrorKind::missing_key, "[{}] has no {}; is it a whole SDXL model?", model.path.string(), part);
  const auto folder = find_part_folder(model.path, part);
  check(folder.has_value(), ErrorKind::missing_key,
        "[{}] names a {} in {}, but there is no such folder; is the download complete?", model.path.string(), part,
        names::model_index);
  return *folder;
}

fs::path config_path(const ModelFiles& model, const std::string& part) {
  if (part == "model_index") return model.path / names::model_index;
  return part_folder(model, part) / (part == names::scheduler ? names::scheduler_config : names::config);
}

void read_model_index(ModelFiles& model) {
  const auto path = model.path / names::model_index;
  if (!fs::exists(path)) {
    const bool any = std::any_of(std::begin(folder_parts), std::end(folder_parts),
                                 [&](const char* part) { return find_part_folder(model.path, part).has_value(); });
    check(any, ErrorKind::input, "[{}] is no model: it holds neither {} nor a folder of one of a model's parts",
          model.path.string(), names::model_index);
    return;
  }
  const auto index = ConfigReader::of(read_json_file(path), model.config_name("model_index"));
  const auto kind = index.get<std::string>("_class_name", "");
  check(kind.empty() || kind.starts_with("StableDiffusionXL"), ErrorKind::input,
        "[{}] is a {}, expected a StableDiffusionXLPipeline; only SDXL models are read", model.path.string(), kind);
  for (const auto& [component, classes] : index.json().items())
    if (classes.is_array() && classes.size() == 2) model.components[component] = !classes[1].is_null();
  const auto is_name = [](const Json& name) { return name.is_string() || name.is_null(); };
  for (const std::string part : folder_parts)
    if (index.has(part))
      index.check(model.components.contains(part) && is_name(index.value(part)[0]) && is_name(index.value(part)[1]), part,
                  "the names of its library and class");
}

void add_regular_files(std::vector<fs::path>& files, const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
}

// What config.json beside a file of a diffusers folder says, when it is that of a VAE of that class.
std::optional<fs::path> vae_config_beside(const fs::path& file, const char* class_name = "AutoencoderKL") {
  const auto config = file.parent_path() / names::config;
  if (!file.filename().string().starts_with(weight_stem(names::vae)) || !fs::exists(config)) return {};
  const auto reader = ConfigReader::of(read_json_file(config), config.string());
  return reader.get<std::string>("_class_name", "") == class_name ? std::optional(config) : std::nullopt;
}

VaeFiles open_vae_folder(const fs::path& path) {
  static constexpr const char* classes[] = {"AutoencoderKL", "AutoencoderTiny"};
  auto part = open_part_folder(path, {names::vae, "VAE", classes, "an AutoencoderKL or AutoencoderTiny"});
  return {path, fs::canonical(path).filename(), part.config_json, part.config_name, std::move(part.weights), part.files};
}

VaeFiles open_tiny_vae(const fs::path& path, const std::shared_ptr<const TensorFile>& file) {
  VaeFiles vae{path, fs::canonical(path).filename(), {}, path.string() + ", TAESD", tiny_vae_weights(file), {path}};
  if (const auto other = other_half_beside(path);
      other && !(has_half(vae.weights, "encoder") && has_half(vae.weights, "decoder"))) {
    vae.weights.merge(tiny_vae_weights(open_tensor_file(*other)));
    vae.files.push_back(*other);
  }
  check(has_half(vae.weights, "decoder"), ErrorKind::input,
        "[{}] holds a TAESD's encoder alone; put its decoder (taesdxl_decoder) beside it, with which pictures are drawn",
        path.string());
  if (const auto config = vae_config_beside(path, "AutoencoderTiny")) {
    vae.config_json = read_file(*config);
    vae.config_name = config->string();
    vae.files.push_back(*config);
  } else {
    vae.config_json = tiny_vae_config_json(vae.weights);
  }
  std::sort(vae.files.begin(), vae.files.end());
  return vae;
}
}  // namespace

bool ModelFiles::has(const std::string& part) const {
  if (unet && part == names::unet) return true;
  if (layout == folder) {
    if (part == "model_index") return fs::exists(path / names::model_index);
    const auto listed = components.find(part);
    return components.empty() ? find_part_folder(path, part).has_value() : listed != components.end() && listed->second;
  }
  if (part == "model_index" || part == names::scheduler) return true;
  if (part == names::tokenizer) return has(names::text_encoder);
  if (part == names::tokenizer_2) return has(names::text_encoder_2);
  return single_file_has(*file, part);
}

std::string ModelFiles::config_json(const std::string& part) const {
  if (unet && part == names::unet) return unet->config_json;
  if (unet && part == names::scheduler && !unet->scheduler_json.empty()) return unet->scheduler_json;
  check(has(part), ErrorKind::missing_key, "[{}] has no {}; is it a whole SDXL model?", path.string(), part);
  if (layout == single_file) return single_file_config_json(file, part);
  const auto config = config_path(*this, part);
  check(fs::exists(config), ErrorKind::missing_key, "[{}] is not there; is the download complete?", config.string());
  return read_file(config);
}

std::string ModelFiles::config_name(const std::string& part) const {
  if (unet && part == names::unet) return unet->config_name;
  if (part == "model_index") return (fs::path(name) / names::model_index).string();
  return (fs::path(name) / part / (part == names::scheduler ? names::scheduler_config : names::config)).string();
}

Weights ModelFiles::weights(const std::string& part) const {
  if (unet && part == names::unet) return unet->weights;
  if (layout == single_file) return single_file_weights(file, part);
  return read_part(part, weight_files(part));
}

WeightFiles ModelFiles::weight_files(const std::string& part) const {
  return find_weight_files(part_folder(*this, part), weight_stem(part));
}

fs::path ModelFiles::tokenizer_folder(const std::string& part) const {
  check(is_tokenizer(part), ErrorKind::input, "[tokenizer] got \"{}\", expected tokenizer or tokenizer_2", part);
  if (layout == folder) return part_folder(*this, part);
  if (const auto beside = find_part_folder(path.parent_path(), part)) return *beside;
  for (const auto& models : models_folders(places))
    if (const auto shared = find_part_folder(models / clip_tokenizer, part)) return *shared;
  fail(ErrorKind::missing_key, "[{}] carries no vocabulary: put SDXL's folder {} beside it, or into {}", path.string(), part,
       (places.models / clip_tokenizer).string());
}

void ModelFiles::take_unet(UNetFiles other) {
  if (other.config_json.empty()) {
    other.config_json = unet_config_json(other.weights);
    other.config_name = other.path.string() + ", UNet";
    if (has(names::unet) && unet_config_json(weights(names::unet)) == other.config_json) {
      other.config_json = config_json(names::unet);
      other.config_name = config_name(names::unet);
    }
  }
  unet = std::make_shared<const UNetFiles>(std::move(other));
}

std::vector<fs::path> ModelFiles::files() const {
  if (layout == single_file) return {path};
  std::vector<fs::path> files;
  if (has("model_index")) files.push_back(path / names::model_index);
  for (const std::string part : folder_parts) {
    if (!has(part)) continue;
    const auto folder = part_folder(*this, part);
    if (is_tokenizer(part)) {
      add_regular_files(files, folder);
      continue;
    }
    if (const auto config = config_path(*this, part); fs::exists(config)) files.push_back(config);
    if (part == names::scheduler) continue;
    const auto weights = weight_files(part);
    files.insert(files.end(), weights.shards.begin(), weights.shards.end());
    if (!weights.index.empty()) files.push_back(weights.index);
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<std::string> ModelFiles::unused_keys() const {
  if (layout == folder) return {};
  auto keys = single_file_unused_keys(*file);
  keys.insert(keys.end(), file->left_out().begin(), file->left_out().end());
  return keys;
}

ModelFiles open_model(const fs::path& path, const Places& places) {
  check(fs::exists(path), ErrorKind::input, "[{}] is not there, expected a model folder, a .safetensors file or a .ckpt",
        path.string());
  ModelFiles model;
  model.path = path;
  model.places = places;
  model.name = fs::canonical(path).filename();
  if (fs::is_directory(path)) {
    read_model_index(model);
    return model;
  }
  model.layout = ModelFiles::single_file;
  model.file = open_tensor_file(path);
  check_is_sdxl(*model.file);
  return model;
}

VaeFiles open_vae(const fs::path& given) {
  const fs::path path = stored_path(given);
  check(fs::exists(path), ErrorKind::input, "[{}] is not there, expected a VAE's file or folder", path.string());
  if (fs::is_directory(path)) return open_vae_folder(path);
  const auto file = open_tensor_file(path);
  if (is_tiny_vae(*file)) return open_tiny_vae(path, file);
  VaeFiles vae{path, fs::canonical(path).filename(), {}, path.string() + ", VAE", vae_weights(file), {path}};
  if (auto given = metadata_config_json(*file, names::vae)) {
    vae.config_json = *given;
  } else if (const auto beside = vae_config_beside(path)) {
    vae.config_json = read_file(*beside);
    vae.config_name = beside->string();
    vae.files.push_back(*beside);
    std::sort(vae.files.begin(), vae.files.end());
  } else {
    vae.config_json = vae_config_json(vae.weights);
  }
  return vae;
}

}  // namespace negativa
