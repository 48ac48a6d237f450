#include "unet/unet.h"

#include <cmath>

namespace negativa {

using nn::Adapters;
using nn::KeyValue;

Tensor sinusoidal_embedding(const Tensor& t, int64_t dim, bool flip_sin_to_cos, double freq_shift) {
  const int64_t half = dim / 2;
  const auto exponent = at::arange(half, at::kFloat) * (-std::log(10000.0)) / (static_cast<double>(half) - freq_shift);
  const Tensor angles = t.to(at::kFloat).unsqueeze(-1) * at::exp(exponent).to(t.device());
  return flip_sin_to_cos ? at::cat({at::cos(angles), at::sin(angles)}, -1) : at::cat({at::sin(angles), at::cos(angles)}, -1);
}

bool is_small_unet(const UNetConfig& config) {
  UNet unet(config);  // without weights
  return nn::parameter_count(nn::walk(unet)) < 100'000'000;
}

Tensor TimestepEmbedding::forward(const Tensor& x, const Adapters& adapters) const {
  return linear_2.forward(at::silu(linear_1.forward(x, adapters)), adapters);
}

Tensor TimestepEmbedding::forward_shared(const Tensor& x, int64_t batch, const Adapters& adapters) const {
  const Adapters mine = adapters.of({linear_1.name, linear_2.name});
  if (mine.empty()) return forward(x, Adapters::none());
  std::vector<Tensor> rows;  // each by itself: a row that no adapter acts on keeps its bytes
  for (int row = 0; row < batch; ++row) rows.push_back(forward(x, mine.rows({row})));
  return at::cat(rows);
}

void UNet::check_weights(const UNetConfig& config, const Weights& weights, const std::string& part) {
  UNet unet(config);  // without weights
  nn::check_weights(part, nn::walk(unet), weights);
}

PreparedCondition PreparedCondition::rows(const std::vector<int>& indices) const {
  const auto chosen = [&](const Tensor& x) {
    std::vector<Tensor> parts;
    for (const int row : indices) parts.push_back(x.narrow(0, row, 1));
    return parts.size() == 1 ? parts.front() : at::cat(parts);
  };
  PreparedCondition some{chosen(add_embedding), {}};
  for (const auto& kv : key_values) some.key_values.push_back({chosen(kv.key), chosen(kv.value)});
  return some;
}

namespace {

nn::Transformer2D transformer(const UNetConfig& config, const UNetLayer& layer) {
  const auto& block = config.blocks[layer.block];
  return nn::Transformer2D(
      {block.channels, block.num_attention_heads, layer.depth, block.cross_attention_dim, config.norm_num_groups});
}

nn::ResnetBlock resnet(const UNetConfig& config, int64_t in_channels, int64_t out_channels) {
  return nn::ResnetBlock({in_channels, out_channels, config.norm_num_groups, config.norm_eps, config.time_embed_dim()});
}

}  // namespace

UNet::UNet(const UNetConfig& config) : config(config), down_blocks(config.blocks.size()), up_blocks(config.blocks.size()) {
  const auto first = config.blocks.front().channels, time = config.time_embed_dim();
  time_embedding = {nn::Linear(first, time), nn::Linear(time, time)};
  add_embedding = {nn::Linear(config.projection_class_embeddings_input_dim, time), nn::Linear(time, time)};
  for (const auto& layer : layers_of(config)) build(layer);
}

// The next of its kind in its block.
void UNet::build(const UNetLayer& layer) {
  using Kind = UNetLayer::Kind;
  const auto in = layer.in_channels, out = layer.out_channels;
  auto& down = down_blocks[layer.block];
  auto& up = up_blocks[up_blocks.size() - 1 - layer.block];
  const auto of_its_way = [&](auto& of_down, auto& of_mid, auto& of_up) -> auto& {
    return layer.way == UNetLayer::Way::down ? of_down : layer.way == UNetLayer::Way::mid ? of_mid : of_up;
  };
  switch (layer.kind) {
    case Kind::conv_in:
      conv_in = nn::Conv2d(in, out);
      break;
    case Kind::resnet:
      of_its_way(down.resnets, mid_block.resnets, up.resnets).push_back(resnet(config, in, out));
      break;
    case Kind::transformer:
      of_its_way(down.attentions, mid_block.attentions, up.attentions).push_back(transformer(config, layer));
      break;
    case Kind::downsample:
      down.downsamplers.push_back({nn::Conv2d(in, out, 3, 2, 1)});
      break;
    case Kind::upsample:
      up.upsamplers.push_back({nn::Conv2d(in, out)});
      break;
    case Kind::conv_out:
      conv_norm_out = nn::GroupNorm(config.norm_num_groups, in, config.norm_eps);
      conv_out = nn::Conv2d(in, out);
      break;
  }
}

PreparedCondition UNet::prepare(const UNetCondition& condition, const Adapters& adapters) const {
  const auto& [prompt_embeds, pooled, time_ids] = condition;
  const int64_t batch = prompt_embeds.size(0), num_time_ids = config.num_time_ids(pooled.size(-1));
  check_shape("prompt_embeds", prompt_embeds, {batch, -1, config.cross_attention_dim()});
  check(pooled.size(-1) + num_time_ids * config.addition_time_embed_dim == config.projection_class_embeddings_input_dim,
        ErrorKind::shape, "[unet] pooled_prompt_embeds of width {} do not fit an addition embedding of {}", pooled.size(-1),
        config.projection_class_embeddings_input_dim);
  check_shape("add_time_ids", time_ids, {batch, num_time_ids});

  const Tensor sizes =
      sinusoidal_embedding(time_ids.flatten(), config.addition_time_embed_dim, config.flip_sin_to_cos, config.freq_shift);
  PreparedCondition prepared;
  prepared.add_embedding = add_embedding.forward(at::cat({pooled, sizes.view({batch, -1}).to(pooled.options())}, -1), adapters);
  const auto add_transformers = [&, &embeds = prompt_embeds](const std::vector<nn::Transformer2D>& attentions) {
    for (const auto& attention : attentions)
      for (const auto& block : attention.transformer_blocks)
        prepared.key_values.push_back(block.attn2.key_value(embeds, adapters));
  };
  for (const auto& down : down_blocks) add_transformers(down.attentions);
  add_transformers(mid_block.attentions);
  for (const auto& up : up_blocks) add_transformers(up.attentions);
  return prepared;
}

Tensor UNet::forward(const Tensor& sample, double timestep, const PreparedCondition& condition, const Adapters& adapters) const {
  const int64_t batch = condition.add_embedding.size(0);
  check_shape("sample", sample, {batch, config.in_channels, -1, -1});
  const Tensor t = sinusoidal_embedding(at::full({1}, timestep, at::kFloat), config.blocks.front().channels,
                                        config.flip_sin_to_cos, config.freq_shift);
  const Tensor temb = at::silu(time_embedding.forward_shared(t.to(sample.options()), batch, adapters) + condition.add_embedding);
  const KeyValue* context = condition.key_values.data();
  const auto attend = [&](const nn::Transformer2D& attention, const Tensor& x) {
    const KeyValue* mine = context;
    context += attention.transformer_blocks.size();
    return attention.forward(x, mine, adapters);
  };

  Tensor x = conv_in.forward(sample.contiguous(at::MemoryFormat::ChannelsLast), adapters);
  std::vector<Tensor> skips{x};
  for (const auto& down : down_blocks) {
    for (size_t j = 0; j < down.resnets.size(); ++j) {
      x = down.resnets[j].forward(x, temb, adapters);
      if (!down.attentions.empty()) x = attend(down.attentions[j], x);
      skips.push_back(x);
    }
    for (const auto& downsampler : down.downsamplers) skips.push_back(x = downsampler.conv.forward(x, adapters));
  }

  for (size_t j = 0; j < mid_block.resnets.size(); ++j) {
    if (j > 0) x = attend(mid_block.attentions[j - 1], x);
    x = mid_block.resnets[j].forward(x, temb, adapters);
  }

  for (const auto& up : up_blocks) {
    for (size_t j = 0; j < up.resnets.size(); ++j) {
      x = up.resnets[j].forward(at::cat({x, skips.back()}, 1), temb, adapters);
      skips.pop_back();
      if (!up.attentions.empty()) x = attend(up.attentions[j], x);
    }
    for (const auto& upsampler : up.upsamplers) x = upsampler.forward(x, skips.back().size(2), skips.back().size(3), adapters);
  }
  return conv_out.forward(conv_norm_out.forward_silu(x, adapters), adapters);
}

}  // namespace negativa
