#include "vae/tiny.h"

#include "nn/cast_weight.h"

namespace negativa {

Tensor BareConv2d::forward(const Tensor& x) const {
  return at::conv2d(x, nn::cast_weight(weight, weight_scale, x), {}, {stride, stride}, {padding, padding});
}

Tensor TinyBlock::forward(const Tensor& x) const {
  const Tensor y = at::relu(second.forward(at::relu(first.forward(x))));
  return at::relu(third.forward(y, nn::Adapters::none(), x));
}

void TinyHalf::add_blocks(const TinyVaeConfig::Level& level) {
  for (int64_t i = 0; i < level.blocks; ++i) layers_.push_back({.block = TinyBlock(level.channels)});
}

TinyHalf TinyHalf::encoder(const TinyVaeConfig& config, int64_t in_channels, int64_t latent_channels) {
  TinyHalf half;
  for (const auto& level : config.encoder) {
    const int64_t c = level.channels;
    if (half.layers_.empty())
      half.layers_.push_back({.conv = nn::Conv2d(in_channels, c)});
    else
      half.layers_.push_back({.bare = BareConv2d(c, c, 3, 2)});
    half.add_blocks(level);
  }
  half.layers_.push_back({.conv = nn::Conv2d(config.encoder.back().channels, latent_channels)});
  return half;
}

TinyHalf TinyHalf::decoder(const TinyVaeConfig& config, int64_t latent_channels, int64_t out_channels) {
  TinyHalf half;
  half.layers_.push_back({.conv = nn::Conv2d(latent_channels, config.decoder.front().channels)});
  half.layers_.push_back({});
  for (size_t i = 0; i < config.decoder.size(); ++i) {
    const int64_t c = config.decoder[i].channels;
    half.add_blocks(config.decoder[i]);
    if (i + 1 == config.decoder.size()) {
      half.layers_.push_back({.conv = nn::Conv2d(c, out_channels)});
    } else {
      half.layers_.push_back({.upsamples = true});
      half.layers_.push_back({.bare = BareConv2d(c, c)});
    }
  }
  return half;
}

Tensor TinyHalf::forward(Tensor x) const {
  x = x.contiguous(at::MemoryFormat::ChannelsLast);
  for (const auto& layer : layers_) {
    if (layer.conv)
      x = layer.conv->forward(x);
    else if (layer.bare)
      x = layer.bare->forward(x);
    else if (layer.block)
      x = layer.block->forward(x);
    else if (layer.upsamples)
      x = at::upsample_nearest2d(x, at::IntArrayRef({2 * x.size(2), 2 * x.size(3)}));
    else
      x = at::relu(x);
  }
  return x;
}

}  // namespace negativa
