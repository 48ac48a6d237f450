#include "text/clip_text_model.h"

#include <limits>

#include "base/config_reader.h"
#include "base/files.h"

namespace negativa {

namespace {

// Token embeddings; ids from vocab_size on take the rows a request adds.
Tensor embed_tokens(const nn::Embedding& table, const Tensor& ids, const TextForward& request) {
  const auto count = table.weight.size(0);
  const auto is_added = ids.ge(count);
  if (!is_added.any().item<bool>()) return table.forward(ids, request.compute);
  const int64_t added = request.added_rows.defined() ? request.added_rows.size(0) : 0;
  const auto greatest = ids.max().item<int64_t>();
  check(greatest < count + added, ErrorKind::input,
        "[text encoder] got token id {}, expected ids below {}; is this tokenizer of another model?", greatest, count + added);
  const auto from_table = table.forward(ids.clamp_max(count - 1), request.compute);
  const auto from_request = at::embedding(request.added_rows.to(request.compute), (ids - count).clamp_min(0));
  return at::where(is_added.unsqueeze(-1), from_request, from_table);
}

// Additive mask [B,1,T,T]: -inf where a token may not look: ahead, and at hidden tokens.
Tensor additive_mask(const Tensor& attention_mask, DType compute) {
  const auto length = attention_mask.size(1);
  const auto ahead = at::ones({length, length}, attention_mask.options().dtype(at::kBool)).triu(1);
  const auto forbidden = ahead.unsqueeze(0).logical_or(attention_mask.eq(0).unsqueeze(1));
  const auto zeros = at::zeros(forbidden.sizes(), attention_mask.options().dtype(compute));
  return zeros.masked_fill(forbidden, -std::numeric_limits<double>::infinity()).unsqueeze(1);
}

// First position of the end token in each row: transformers, modeling_clip.py, CLIPTextTransformer.forward.
Tensor end_positions(const Tensor& ids, const CLIPTextConfig& config, const std::optional<int64_t>& eos_id) {
  if (!eos_id && config.eos_token_id == 2) return ids.argmax(1);
  return ids.eq(eos_id.value_or(config.eos_token_id)).to(at::kInt).argmax(1);
}

}  // namespace

CLIPTextConfig CLIPTextConfig::parse(std::string_view text, std::string_view where) {
  return read(ConfigReader(text, std::string(where)));
}

CLIPTextConfig CLIPTextConfig::read(const ConfigReader& reader) {
  CLIPTextConfig config;
  reader.read_size("vocab_size", config.vocab_size);
  reader.read_size("hidden_size", config.hidden_size);
  reader.read_size("intermediate_size", config.intermediate_size);
  reader.read_size("projection_dim", config.projection_dim);
  reader.read_size("num_hidden_layers", config.num_hidden_layers, most_clip_layers);
  reader.read_size("num_attention_heads", config.num_attention_heads);
  reader.read_size("max_position_embeddings", config.max_position_embeddings);
  config.hidden_act = reader.one_of("hidden_act", config.hidden_act, nn::activation_names());
  reader.read_positive("layer_norm_eps", config.layer_norm_eps);
  reader.read("eos_token_id", config.eos_token_id);
  reader.check(config.eos_token_id >= 0, "eos_token_id", "an id of 0 or more");
  for (const auto& name : reader.get("architectures", std::vector<std::string>{}))
    if (name == "CLIPTextModelWithProjection") config.with_projection = true;
  reader.check(config.hidden_size % config.num_attention_heads == 0, "num_attention_heads", "a divisor of hidden_size {}",
               config.hidden_size);
  return config;
}

CLIPTextConfig CLIPTextConfig::load(const std::filesystem::path& path) { return parse(read_file(path), path.string()); }

CLIPTextModel::CLIPTextModel(const CLIPTextConfig& config) : config(config) {
  text_model.embeddings.token_embedding = {config.vocab_size, config.hidden_size};
  text_model.embeddings.position_embedding = {config.max_position_embeddings, config.hidden_size};
  text_model.encoder.layers.assign(config.num_hidden_layers,
                                   CLIPEncoderLayer(config.hidden_size, config.intermediate_size, config.layer_norm_eps));
  text_model.final_layer_norm = nn::LayerNorm(config.hidden_size, config.layer_norm_eps);
  if (config.with_projection) text_projection.emplace(config.hidden_size, config.projection_dim, false);
}

void CLIPTextModel::check_weights(const std::string& part, const CLIPTextConfig& config, const Weights& weights) {
  CLIPTextModel model(config);
  nn::check_weights(part, nn::walk(model), normalise_text_keys(weights, config));
}

CLIPTextModel CLIPTextModel::load(const std::string& part, const CLIPTextConfig& config, const Weights& weights,
                                  const nn::LoadOptions& options) {
  CLIPTextModel model(config);
  nn::load(part, nn::walk(model), normalise_text_keys(weights, config), options);
  return model;
}

TextOutput CLIPTextModel::forward(const Tensor& ids, const TextForward& request) const {
  check_shape("text encoder ids", ids, {-1, -1});
  check(ids.size(1) <= config.max_position_embeddings, ErrorKind::shape, "[text encoder] got {} tokens, expected at most {}",
        ids.size(1), config.max_position_embeddings);
  if (request.attention_mask) check_shape("text encoder attention mask", *request.attention_mask, shape_of(ids));
  const auto& adapters = *request.adapters;
  const auto positions = at::arange(ids.size(1), ids.options());
  const Tensor mask = request.attention_mask ? additive_mask(*request.attention_mask, request.compute) : Tensor();
  const CLIPLayerForward how{config.num_attention_heads, config.hidden_act, !mask.defined(), mask, adapters};
  TextOutput output;
  Tensor x = embed_tokens(text_model.embeddings.token_embedding, ids, request) +
             text_model.embeddings.position_embedding.forward(positions, request.compute);
  for (const auto& layer : text_model.encoder.layers) {
    output.penultimate = x;
    x = layer.forward(x, how);
  }
  output.last = text_model.final_layer_norm.forward(x, adapters);
  if (text_projection) {
    const auto rows = at::arange(ids.size(0), ids.options());
    output.pooled = text_projection->forward(output.last.index({rows, end_positions(ids, config, request.eos_id)}), adapters);
  }
  return output;
}

Weights normalise_text_keys(const Weights& weights, const CLIPTextConfig& config) {
  Weights result;
  for (const auto& [key, source] : weights) {
    const bool projection = key.starts_with("text_projection.");
    if (key.ends_with("position_ids") || (projection && !config.with_projection)) continue;
    const bool complete = projection || key.starts_with("text_model.");
    result.emplace(complete ? key : "text_model." + key, source);
  }
  return result;
}

}  // namespace negativa
