#include "vision/clip_model.h"

#include "nn/cast_weight.h"

namespace negativa {

namespace {

// Buffers that older files hold beside the weights.
Weights without_positions(const Weights& weights) {
  Weights result;
  for (const auto& [key, source] : weights)
    if (!key.ends_with(".position_ids")) result.emplace(key, source);
  return result;
}

void check_finite(const std::string& part, const nn::Walk& module) {
  for (const auto& slot : module.slots)
    check(std::isfinite(slot.tensor->sum(at::kDouble).item<double>()), ErrorKind::file_format,
          "[{}] {} holds NaN or infinity; the file is damaged, fetch it again", part, slot.name);
}

}  // namespace

Tensor CLIPPatchEmbedding::forward(const Tensor& pixels) const {
  const Tensor planes = at::conv2d(pixels, nn::cast_weight(weight, {}, pixels), {}, {patch, patch});
  return planes.flatten(2).transpose(1, 2);
}

CLIPVisionTransformer::CLIPVisionTransformer(const CLIPVisionConfig& config)
    : config(config), pre_norm(config.hidden_size, config.layer_norm_eps), post_norm(config.hidden_size, config.layer_norm_eps) {
  const int64_t patches = config.patches_a_side() * config.patches_a_side();
  embeddings.patch_embedding = {config.hidden_size, config.patch_size, {}};
  embeddings.position_embedding = {patches + 1, config.hidden_size};
  encoder.layers.assign(config.num_hidden_layers,
                        CLIPEncoderLayer(config.hidden_size, config.intermediate_size, config.layer_norm_eps));
}

Tensor CLIPVisionTransformer::forward(const Tensor& pixels) const {
  check_shape("judge's picture", pixels, {-1, 3, config.image_size, config.image_size});
  const Tensor patches = embeddings.patch_embedding.forward(pixels);
  const Tensor first = embeddings.class_embedding.to(pixels.scalar_type()).expand({pixels.size(0), 1, -1});
  const Tensor places = embeddings.position_embedding.weight.to(pixels.scalar_type());
  Tensor x = pre_norm.forward(at::cat({first, patches}, 1) + places);
  for (const auto& layer : encoder.layers) x = layer.forward(x, {config.num_attention_heads, config.hidden_act});
  return post_norm.forward(x.select(1, 0).contiguous());
}

CLIPModel::CLIPModel(const CLIPConfig& config)
    : config(config),
      text(config.text),
      vision_model(config.vision),
      visual_projection(config.vision.hidden_size, config.projection_dim, false) {}

CLIPModel CLIPModel::load(const std::string& part, const CLIPConfig& config, const Weights& weights,
                          const nn::LoadOptions& options) {
  CLIPModel model(config);
  const nn::Walk walk = nn::walk(model);
  nn::load(part, walk, without_positions(weights), options);
  check_finite(part, walk);
  return model;
}

Tensor CLIPModel::image_embeds(const Tensor& pixels) const { return visual_projection.forward(vision_model.forward(pixels)); }

Tensor CLIPModel::text_embeds(const Tensor& ids) const { return text.forward(ids).pooled; }

}  // namespace negativa
