#pragma once
// The residual block of the UNet (with a time embedding) and of the VAE (without).
#include "nn/layers.h"

namespace negativa::nn {

// x -> shortcut(x) + conv2(silu(norm2(conv1(silu(norm1 x)) + time_emb_proj(silu(temb)))))
struct ResnetBlock {
  GroupNorm norm1;
  Conv2d conv1;
  std::optional<Linear> time_emb_proj;
  GroupNorm norm2;
  Conv2d conv2;
  std::optional<Conv2d> conv_shortcut;  // 1x1, where the channels change

  struct Shape {
    int64_t in_channels, out_channels, groups;
    double eps;
    int64_t time_embed_dim = 0;  // 0: no time embedding
  };
  ResnetBlock() = default;
  explicit ResnetBlock(const Shape& shape);

  // x [B,in,H,W]; temb_silu [B,time_embed_dim], SiLU already applied (undefined for a block without one) -> [B,out,H,W]
  Tensor forward(const Tensor& x, const Tensor& temb_silu = {}, const Adapters& adapters = Adapters::none()) const;

  static void visit(auto& self, auto& v) {
    v("norm1", self.norm1);
    v("conv1", self.conv1);
    v("time_emb_proj", self.time_emb_proj);
    v("norm2", self.norm2);
    v("conv2", self.conv2);
    v("conv_shortcut", self.conv_shortcut);
  }
};

// Convolution after nearest-neighbour upsampling to (height, width).
struct Upsample {
  Conv2d conv;
  Tensor forward(const Tensor& x, int64_t height, int64_t width, const Adapters& adapters = Adapters::none()) const;
  static void visit(auto& self, auto& v) { v("conv", self.conv); }
};

struct Downsample {
  Conv2d conv;  // stride 2
  static void visit(auto& self, auto& v) { v("conv", self.conv); }
};

}  // namespace negativa::nn
