#include "vision/clip_config.h"

#include "base/config_reader.h"
#include "base/files.h"

namespace negativa {

namespace {

// The object under `key`. Files of 2022 have it a second time under `key`_dict, whose values transformers lets win, with the
// classes' defaults for what it lacks.
ConfigReader part_of(const ConfigReader& config, const std::string& key) {
  return config.object(config.has(key + "_dict") ? key + "_dict" : key);
}

// 224, or [224, 224] as transformers allows.
void read_side(const ConfigReader& config, const std::string& key, int64_t& side) {
  if (!config.value(key).is_array()) return config.read_size(key, side);
  const auto sides = config.need_sizes(key);
  config.check(sides.size() <= 2 && sides.front() == sides.back(), key, "a square");
  side = sides.front();
}

CLIPVisionConfig vision_config(const ConfigReader& reader) {
  CLIPVisionConfig config;
  reader.read_size("hidden_size", config.hidden_size);
  reader.read_size("intermediate_size", config.intermediate_size);
  reader.read_size("num_hidden_layers", config.num_hidden_layers, most_clip_layers);
  reader.read_size("num_attention_heads", config.num_attention_heads);
  read_side(reader, "image_size", config.image_size);
  read_side(reader, "patch_size", config.patch_size);
  reader.read("num_channels", config.num_channels);
  reader.check(config.num_channels == 3, "num_channels", "3, for red, green and blue");
  config.hidden_act = reader.one_of("hidden_act", config.hidden_act, nn::activation_names());
  reader.read_positive("layer_norm_eps", config.layer_norm_eps);
  reader.check(config.patch_size <= config.image_size, "patch_size", "at most image_size {}", config.image_size);
  reader.check(config.hidden_size % config.num_attention_heads == 0, "num_attention_heads", "a divisor of hidden_size {}",
               config.hidden_size);
  return config;
}

}  // namespace

CLIPConfig CLIPConfig::parse(std::string_view text, std::string_view where) {
  const ConfigReader reader(text, std::string(where));
  reader.check(reader.get<std::string>("model_type", "clip") == "clip", "model_type",
               "\"clip\": both towers of a transformers CLIPModel");
  CLIPConfig config;
  reader.read_size("projection_dim", config.projection_dim);
  config.text = CLIPTextConfig::read(part_of(reader, "text_config"));
  config.text.projection_dim = config.projection_dim;
  config.text.with_projection = true;
  config.vision = vision_config(part_of(reader, "vision_config"));
  return config;
}

CLIPConfig CLIPConfig::load(const std::filesystem::path& path) { return parse(read_file(path), path.string()); }

}  // namespace negativa
