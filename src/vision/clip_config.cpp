#include "vision/clip_config.h"

#include "base/files.h"
#include "base/json.h"

namespace negativa {

namespace {

// The object under `key`. Files of 2022 have it a second time under `key`_dict, whose values transformers lets win, with the
// classes' defaults for what it lacks.
Json part_of(const Json& json, const std::string& key, std::string_view where) {
  for (const auto& name : {key + "_dict", key}) {
    const auto found = json.find(name);
    if (found == json.end() || found->is_null()) continue;
    check(found->is_object(), ErrorKind::file_format, "[{}] \"{}\": got {}, expected an object", where, name,
          json_excerpt(*found));
    return *found;
  }
  return Json::object();
}

// 224, or [224, 224] as transformers allows.
int64_t side_of(const Json& json, const std::string& key, int64_t fallback, const std::string& where) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_array()) return get_or(json, key, fallback, where);
  const auto sides = get<std::vector<int64_t>>(json, key, where);
  check(!sides.empty() && sides.size() <= 2 && sides.front() == sides.back(), ErrorKind::file_format,
        "[{}] {}: got {}, expected a square", where, key, json_excerpt(*found));
  return sides.front();
}

CLIPVisionConfig vision_config(const Json& json, const std::string& where) {
  CLIPVisionConfig config;
  const auto at_least_one = [&](const char* key, int64_t value) {
    check(value > 0, ErrorKind::file_format, "[{}] {}: got {}, expected more than 0", where, key, value);
    return value;
  };
  const auto size = [&](const char* key, int64_t& value) { value = at_least_one(key, get_or(json, key, value, where)); };
  size("hidden_size", config.hidden_size);
  size("intermediate_size", config.intermediate_size);
  size("num_hidden_layers", config.num_hidden_layers);
  size("num_attention_heads", config.num_attention_heads);
  config.image_size = at_least_one("image_size", side_of(json, "image_size", config.image_size, where));
  config.patch_size = at_least_one("patch_size", side_of(json, "patch_size", config.patch_size, where));
  config.num_channels = get_or(json, "num_channels", config.num_channels, where);
  config.hidden_act = get_or(json, "hidden_act", config.hidden_act, where);
  config.layer_norm_eps = get_or(json, "layer_norm_eps", config.layer_norm_eps, where);
  check(config.num_channels == 3, ErrorKind::file_format, "[{}] num_channels: got {}, expected 3, for red, green and blue", where,
        config.num_channels);
  check(config.patch_size <= config.image_size, ErrorKind::file_format, "[{}] patch_size {} is more than image_size {}", where,
        config.patch_size, config.image_size);
  check(config.hidden_size % config.num_attention_heads == 0, ErrorKind::file_format,
        "[{}] hidden_size {} is not a multiple of num_attention_heads {}", where, config.hidden_size, config.num_attention_heads);
  nn::activation(config.hidden_act, at::zeros({1}));
  return config;
}

}  // namespace

CLIPConfig CLIPConfig::parse(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  check(json.is_object(), ErrorKind::file_format, "[{}] got {}, expected a JSON object", where, json_excerpt(json));
  const auto type = get_or<std::string>(json, "model_type", "clip", where);
  check(type == "clip", ErrorKind::file_format,
        "[{}] is the config of a \"{}\" model, expected \"clip\": both towers of a transformers CLIPModel", where, type);
  CLIPConfig config;
  config.projection_dim = get_or(json, "projection_dim", config.projection_dim, where);
  check(config.projection_dim > 0, ErrorKind::file_format, "[{}] projection_dim: got {}, expected more than 0", where,
        config.projection_dim);
  Json of_text = part_of(json, "text_config", where);
  of_text["projection_dim"] = config.projection_dim;
  config.text = CLIPTextConfig::parse(of_text.dump(), fmt::format("{}, text_config", where));
  config.text.with_projection = true;
  config.vision = vision_config(part_of(json, "vision_config", where), fmt::format("{}, vision_config", where));
  return config;
}

CLIPConfig CLIPConfig::load(const std::filesystem::path& path) { return parse(read_file(path), path.string()); }

}  // namespace negativa
