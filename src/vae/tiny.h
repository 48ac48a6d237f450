#pragma once
// TAESD: an autoencoder of 3x3 convolutions alone that takes latents as the UNet has them, × scaling_factor. Member names are the
// keys of diffusers' AutoencoderTiny. Source: madebyollin/taesd, taesd.py; diffusers, models/autoencoders/autoencoder_tiny.py and
// vae.py.
#include "nn/layers.h"

namespace negativa {

struct TinyVaeConfig {
  struct Level {
    int64_t blocks = 0, channels = 0;
  };
  std::vector<Level> encoder, decoder;  // from pixels to latents, and from latents to pixels; empty: that half is not there
};

struct TinyBlock {
  nn::Conv2d first, second, third;

  TinyBlock() = default;
  explicit TinyBlock(int64_t channels) : first(channels, channels), second(channels, channels), third(channels, channels) {}
  Tensor forward(const Tensor& x) const;  // [B,C,H,W]

  static void visit(auto& self, auto& v) {
    v("conv.0", self.first);
    v("conv.2", self.second);
    v("conv.4", self.third);
  }
};

// The convolution between two levels.
struct BareConv2d : nn::Conv2d {
  using nn::Conv2d::Conv2d;
  Tensor forward(const Tensor& x) const;

  static void visit(auto& self, auto& v) {
    v.param("weight", self.weight, {self.out_channels, self.in_channels, self.kernel, self.kernel}, &self.weight_scale);
  }
};

// Encoder or decoder: a row of layers whose places are the numbers in the keys, those without weights (ReLU, upsampling)
// included.
class TinyHalf {
 public:
  static TinyHalf encoder(const TinyVaeConfig& config, int64_t in_channels, int64_t latent_channels);
  static TinyHalf decoder(const TinyVaeConfig& config, int64_t latent_channels, int64_t out_channels);

  Tensor forward(Tensor x) const;

  static void visit(auto& self, auto& v) {
    for (size_t i = 0; i < self.layers_.size(); ++i) {
      const std::string name = "layers." + std::to_string(i);
      v(name, self.layers_[i].conv);
      v(name, self.layers_[i].bare);
      v(name, self.layers_[i].block);
    }
  }

 private:
  struct Layer {  // one of these; none: ReLU, or upsampling to twice the size
    std::optional<nn::Conv2d> conv = {};
    std::optional<BareConv2d> bare = {};
    std::optional<TinyBlock> block = {};
    bool upsamples = false;
  };
  void add_blocks(const TinyVaeConfig::Level& level);

  std::vector<Layer> layers_;
};

}  // namespace negativa
