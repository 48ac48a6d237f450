#include "model/work.h"

namespace negativa {

namespace {

class Meter {
 public:
  Work work;
  int64_t held = 0;  // numbers that stay over several layers

  void linear(int64_t rows, int64_t in, int64_t out) {
    work.flop += 2.0 * static_cast<double>(rows) * static_cast<double>(in) * static_cast<double>(out);
  }
  void attention(int64_t queries, int64_t keys, int64_t width, int64_t rows) {
    work.flop += 4.0 * static_cast<double>(queries * keys) * static_cast<double>(width * rows);
  }
  void alive(int64_t numbers) { work.most_numbers = std::max(work.most_numbers, held + numbers); }

  // Returns what the library needs on the way: the weight in an order of its own.
  int64_t conv(int64_t in, int64_t out, int64_t pixels) {
    linear(pixels, 9 * in, out);
    return 9 * in * out;
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
  UNetMeter(const UNetConfig& config, const UNetPass& pass)
      : config_(config), pass_(pass), height_(pass.height), width_(pass.width) {
    const auto& blocks = config.blocks;
    int64_t channels = blocks.front().channels;
    const int64_t time = config.time_embed_dim();
    linear(1, channels, time);
    linear(1, time, time);
    conv(config.in_channels, channels, pixels());
    keep(channels);
    for (size_t i = 0; i < blocks.size(); ++i) {
      for (int64_t j = 0; j < blocks[i].layers; ++j) {
        unet_resnet(channels, blocks[i].channels);
        channels = blocks[i].channels;
        if (blocks[i].down_attention) transformer(blocks[i]);
        keep(channels);
      }
      if (i + 1 == blocks.size()) break;
      sizes_.emplace_back(height_, width_);
      height_ = (height_ + 1) / 2;
      width_ = (width_ + 1) / 2;
      conv(channels, channels, pixels());
      keep(channels);
    }
    unet_resnet(channels, channels);
    transformer(blocks.back());
    unet_resnet(channels, channels);
    way_up(channels);
    held += key_values_;
    work.most_numbers += key_values_;
  }

 private:
  int64_t pixels() const { return pass_.rows * height_ * width_; }
  void keep(int64_t channels) {
    skips_.push_back(channels);
    held += channels * pixels();
    alive(0);
  }
  void unet_resnet(int64_t in, int64_t out) {
    linear(pass_.rows, config_.time_embed_dim(), out);
    resnet(in, out, pixels());
  }

  void way_up(int64_t channels) {
    for (size_t i = config_.blocks.size(); i-- > 0;) {
      const auto& block = config_.blocks[i];
      for (int64_t j = 0; j < block.layers + 1; ++j) {
        const int64_t before = channels * pixels(), skip = skips_.back();
        skips_.pop_back();
        held += before;  // beside its copy, joined with the skip
        unet_resnet(channels + skip, block.channels);
        held -= before + skip * pixels();
        channels = block.channels;
        if (block.up_attention) transformer(block);
      }
      if (i == 0) break;
      upsample(channels, pixels());
      std::tie(height_, width_) = sizes_.back();
      sizes_.pop_back();
    }
    alive(2 * channels * pixels());
    conv(channels, config_.out_channels, pixels());
  }

  // 19 maps of the block's width at the feed-forward: Transformer2D's input and norm, the block's input, first norm, residual and
  // third norm, GEGLU's halves (8), their product (4) and the result.
  void transformer(const UNetConfig::Block& block) {
    const int64_t c = block.channels, p = pixels(), tokens = height_ * width_;
    linear(p, c, 2 * c);  // proj_in, proj_out
    for (int64_t i = 0; i < block.transformer_layers; ++i) {
      linear(p, c, 6 * c);  // q, k, v, out; cross q, out
      linear(p, c, 12 * c);
      attention(tokens, tokens, c, pass_.rows);
      attention(tokens, pass_.tokens, c, pass_.rows);
    }
    if (block.transformer_layers > 0) alive(19 * c * p);
    key_values_ += 2 * block.transformer_layers * pass_.tokens * c * pass_.rows;
  }

  const UNetConfig& config_;
  const UNetPass& pass_;
  int64_t height_, width_, key_values_ = 0;
  std::vector<int64_t> skips_;
  std::vector<std::pair<int64_t, int64_t>> sizes_;
};

// Transformer layers of a kind, times their channels: what keys and values of the prompt are computed for.
int64_t key_value_width(const UNetConfig& config) {
  int64_t width = config.blocks.back().transformer_layers * config.blocks.back().channels;
  for (const auto& block : config.blocks)
    width += block.transformer_layers * block.channels *
             ((block.down_attention ? block.layers : 0) + (block.up_attention ? block.layers + 1 : 0));
  return width;
}

}  // namespace

Work unet_work(const UNetConfig& config, const UNetPass& pass) { return UNetMeter(config, pass).work; }

double unet_prepare_flop(const UNetConfig& config, const UNetPass& pass) {
  Meter meter;
  const int64_t time = config.time_embed_dim();
  meter.linear(pass.rows * pass.tokens, config.cross_attention_dim(), 2 * key_value_width(config));
  meter.linear(pass.rows, config.projection_class_embeddings_input_dim, time);
  meter.linear(pass.rows, time, time);
  return meter.work.flop;
}

Work vae_decode_work(const VaeConfig& config, int64_t height, int64_t width) {
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
  return meter.work;
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
