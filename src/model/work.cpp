#include "model/work.h"

#include "nn/cpu_kernels.h"
#include "unet/layers.h"

namespace negativa {

namespace {

class Meter {
 public:
  Work work;
  int64_t held = 0;  // elements that stay over several layers

  void linear(int64_t rows, int64_t in, int64_t out) {
    work.flop += 2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
  }
  void attention(int64_t queries, int64_t keys, int64_t width, int64_t rows) {
    work.flop += 4.0 * static_cast<double>(queries * keys) * static_cast<double>(width * rows);
  }
  void alive(int64_t elements) { work.most_elements = std::max(work.most_elements, held + elements); }
  Work total() const { return {work.flop, work.most_elements + work.transformed_elements, work.transformed_elements}; }

  // Returns what the library needs on the way: the weight in an order of its own.
  int64_t conv(int64_t in, int64_t out, int64_t pixels, int64_t stride = 1) {
    linear(pixels, 9 * in, out);
    const Tensor weight = at::empty({out, in, 3, 3}, at::kMeta);
    if (nn::cpu::worth_packing(weight) || !nn::cpu::winograd_pays(pixels, weight, {3, stride, 1, out})) return 9 * in * out;
    work.transformed_elements = std::max(work.transformed_elements, nn::cpu::transformed_elements(weight));
    return 0;
  }

  // ResnetBlock::forward: input, first norm and its convolution; then input, sum, second norm, shortcut, convolution and result.
  void resnet(int64_t in, int64_t out, int64_t pixels) {
    alive(pixels * (2 * in + out) + conv(in, out, pixels));
    alive(pixels * (in + (in == out ? 4 : 5) * out) + conv(out, out, pixels));
    if (in != out) linear(pixels, in, out);
  }

  // Upsample::forward of that many pixels.
  void upsample(int64_t channels, int64_t pixels) { alive(channels * 9 * pixels + conv(channels, channels, 4 * pixels)); }
};

class UNetMeter : public Meter {
 public:
  UNetMeter(const UNetConfig& config, const UNetPass& pass) : config_(config), pass_(pass) {
    const int64_t time = config.time_embed_dim();
    linear(1, config.blocks.front().channels, time);
    linear(1, time, time);
    for (const auto& layer : layers_of(config)) count(layer);
    held += key_values_;
    work.most_elements += key_values_;
  }

 private:
  int64_t positions(size_t level) const { return side_at(pass_.height, level) * side_at(pass_.width, level); }

  void count(const UNetLayer& layer) {
    using Kind = UNetLayer::Kind;
    const int64_t in = layer.in_channels, out = layer.out_channels, pixels = pass_.rows * positions(layer.level);
    switch (layer.kind) {
      case Kind::conv_in:
        conv(in, out, pixels);
        break;
      case Kind::downsample:
        conv(in, out, pixels, 2);
        break;
      case Kind::resnet:
        unet_resnet(layer, pixels);
        break;
      case Kind::transformer:
        transformer(layer, positions(layer.level));
        break;
      case Kind::upsample:
        upsample(in, pass_.rows * positions(layer.level + 1));
        break;
      case Kind::conv_out:
        alive(2 * in * pixels);
        conv(in, out, pixels);
        break;
    }
    if (!layer.is_skip) return;
    held += out * pixels;
    alive(0);
  }

  void unet_resnet(const UNetLayer& layer, int64_t pixels) {
    // Beside the input that is joined with the skip, what came before lies in memory until the resnet is done, as does the skip.
    const int64_t before = layer.skip_channels > 0 ? (layer.in_channels - layer.skip_channels) * pixels : 0;
    held += before;
    linear(pass_.rows, config_.time_embed_dim(), layer.out_channels);
    resnet(layer.in_channels, layer.out_channels, pixels);
    held -= before + layer.skip_channels * pixels;
  }

  // 19 maps of the block's width at the feed-forward: Transformer2D's input and norm, the block's input, first norm, residual and
  // third norm, GEGLU's halves (8), their product (4) and the result.
  void transformer(const UNetLayer& layer, int64_t tokens) {
    const int64_t c = layer.out_channels, p = pass_.rows * tokens;
    linear(p, c, 2 * c);  // proj_in, proj_out
    for (int64_t i = 0; i < layer.depth; ++i) {
      linear(p, c, 6 * c);  // q, k, v, out; cross q, out
      linear(p, c, 12 * c);
      attention(tokens, tokens, c, pass_.rows);
      attention(tokens, pass_.tokens, c, pass_.rows);
    }
    if (layer.depth > 0) alive(19 * c * p);
    key_values_ += 2 * layer.depth * pass_.tokens * c * pass_.rows;
  }

  const UNetConfig& config_;
  const UNetPass& pass_;
  int64_t key_values_ = 0;
};

// Channels of all transformer blocks together: what keys and values of the prompt are computed for.
int64_t key_value_width(const UNetConfig& config) {
  int64_t width = 0;
  for (const auto& layer : layers_of(config))
    if (layer.kind == UNetLayer::Kind::transformer) width += layer.depth * layer.out_channels;
  return width;
}

}  // namespace

Work unet_work(const UNetConfig& config, const UNetPass& pass) { return UNetMeter(config, pass).total(); }

double unet_prepare_flop(const UNetConfig& config, const UNetPass& pass) {
  Meter meter;
  const int64_t time = config.time_embed_dim();
  meter.linear(pass.rows * pass.tokens, config.cross_attention_dim(), 2 * key_value_width(config));
  meter.linear(pass.rows, config.projection_class_embeddings_input_dim, time);
  meter.linear(pass.rows, time, time);
  return meter.work.flop;
}

namespace {
// A block's input, its convolutions' results, and the sum.
Work tiny_decode_work(const VaeConfig& config, int64_t height, int64_t width) {
  Meter meter;
  int64_t pixels = height * width, channels = config.latent_channels;
  for (const auto& level : config.tiny->decoder) {
    meter.conv(channels, level.channels, pixels);  // the first one, and those after upsampling
    channels = level.channels;
    for (int64_t i = 0; i < 3 * level.blocks; ++i) meter.alive(4 * channels * pixels + meter.conv(channels, channels, pixels));
    if (&level == &config.tiny->decoder.back()) break;
    pixels *= 4;
    meter.alive(3 * channels * pixels);
  }
  meter.conv(channels, config.out_channels, pixels);
  return meter.total();
}
}  // namespace

Work vae_decode_work(const VaeConfig& config, int64_t height, int64_t width) {
  if (config.tiny) return tiny_decode_work(config, height, width);
  Meter meter;
  int64_t channels = config.block_out_channels.back(), pixels = height * width;
  meter.linear(pixels, config.latent_channels, config.latent_channels);
  meter.conv(config.latent_channels, channels, pixels);
  for (int k = 0; k < 2; ++k) meter.resnet(channels, channels, pixels);
  if (config.mid_block_add_attention) {
    meter.linear(pixels, channels, 4 * channels);
    meter.attention(pixels, pixels, channels, 1);
    meter.alive(8 * channels * pixels);
  }
  for (size_t i = config.block_out_channels.size(); i-- > 0;) {
    for (int64_t j = 0; j < config.layers_per_block + 1; ++j) {
      meter.resnet(channels, config.block_out_channels[i], pixels);
      channels = config.block_out_channels[i];
    }
    if (i == 0) break;
    meter.upsample(channels, pixels);
    pixels *= 4;
  }
  meter.conv(channels, config.out_channels, pixels);
  return meter.total();
}

double text_flop(const CLIPTextConfig& config) {
  Meter meter;
  const int64_t tokens = config.max_position_embeddings, width = config.hidden_size;
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    meter.linear(tokens, width, 4 * width + 2 * config.intermediate_size);
    meter.attention(tokens, tokens, width, 1);
  }
  return meter.work.flop;
}

}  // namespace negativa
