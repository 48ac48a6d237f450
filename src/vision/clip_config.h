#pragma once
// config.json of a transformers CLIPModel folder; defaults are those of its classes for absent keys.
#include "text/clip_text_model.h"

namespace negativa {

struct CLIPVisionConfig {
  int64_t hidden_size = 768, intermediate_size = 3072, num_hidden_layers = 12, num_attention_heads = 12;
  int64_t num_channels = 3, image_size = 224, patch_size = 32;  // px; pictures are square
  std::string hidden_act = "quick_gelu";
  double layer_norm_eps = 1e-5;

  int64_t patches_a_side() const { return image_size / patch_size; }
};

struct CLIPConfig {
  CLIPTextConfig text;  // with_projection, to projection_dim
  CLIPVisionConfig vision;
  int64_t projection_dim = 512;

  // Unknown keys are ignored. Throws ErrorKind::file_format naming `where` and the key for another kind of model and for values
  // that cannot be.
  static CLIPConfig parse(std::string_view json, std::string_view where);
  static CLIPConfig load(const std::filesystem::path& config_json);
};

}  // namespace negativa
