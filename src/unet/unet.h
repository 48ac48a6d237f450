#pragma once
// SDXL's UNet, base and refiner alike: everything that differs is in the config. Member names are the checkpoint's keys.
// Source: Podell et al. 2023, arXiv:2307.01952; diffusers, models/unets/unet_2d_condition.py.
#include "nn/resnet_block.h"
#include "nn/transformer.h"
#include "unet/layers.h"

namespace negativa {

struct TimestepEmbedding {
  nn::Linear linear_1, linear_2;
  Tensor forward(const Tensor& x, const nn::Adapters& adapters) const;  // [rows, in] -> linear_2(silu(linear_1 x)) [rows, out]
  // The same of one row x that all rows of a batch share: [1, out], or [batch, out] where adapters act on these layers.
  Tensor forward_shared(const Tensor& x, int64_t batch, const nn::Adapters& adapters) const;
  static void visit(auto& self, auto& v) {
    v("linear_1", self.linear_1);
    v("linear_2", self.linear_2);
  }
};

struct DownBlock {
  std::vector<nn::ResnetBlock> resnets;
  std::vector<nn::Transformer2D> attentions;  // none, or one a resnet
  std::vector<nn::Downsample> downsamplers;   // none in the last block
  static void visit(auto& self, auto& v) {
    v("resnets", self.resnets);
    v("attentions", self.attentions);
    v("downsamplers", self.downsamplers);
  }
};

struct MidBlock {
  std::vector<nn::ResnetBlock> resnets;       // two; pruned models have one or none
  std::vector<nn::Transformer2D> attentions;  // one between each two resnets
  static void visit(auto& self, auto& v) {
    v("resnets", self.resnets);
    v("attentions", self.attentions);
  }
};

struct UpBlock {
  std::vector<nn::ResnetBlock> resnets;
  std::vector<nn::Transformer2D> attentions;
  std::vector<nn::Upsample> upsamplers;  // none in the last block
  static void visit(auto& self, auto& v) {
    v("resnets", self.resnets);
    v("attentions", self.attentions);
    v("upsamplers", self.upsamplers);
  }
};

// What a picture is conditioned on, besides its timestep. Rows as in the sample: negative, then positive.
struct UNetCondition {
  Tensor prompt_embeds;         // [B, 77n, D]
  Tensor pooled_prompt_embeds;  // [B, P]
  Tensor add_time_ids;          // [B, 6 or 5], pixels
};

// The part of the UNet's work that is the same at every step of a picture: 3 % of a step at 512x512.
struct PreparedCondition {
  Tensor add_embedding;                  // [B, time_embed_dim]
  std::vector<nn::KeyValue> key_values;  // one a transformer block, in order of the walk
  // Of a batch made of these rows only.
  PreparedCondition rows(const std::vector<int>& indices) const;
};

class UNet {
 public:
  explicit UNet(const UNetConfig& config);
  void load(const Weights& weights, const nn::LoadOptions& options) { nn::load("unet", nn::walk(*this), weights, options); }
  static void check_weights(const UNetConfig& config, const Weights& weights,
                            const std::string& part = "unet");  // what load would refuse, from headers alone

  PreparedCondition prepare(const UNetCondition& condition, const nn::Adapters& adapters = nn::Adapters::none()) const;
  // sample [B,C,h,w], already scaled for the model; timestep 0..999, fractional allowed -> noise_pred [B,C,h,w].
  // Any h and w from 1 up: up blocks take the size of the skip they meet.
  Tensor forward(const Tensor& sample, double timestep, const PreparedCondition& condition,
                 const nn::Adapters& adapters = nn::Adapters::none()) const;

  const UNetConfig config;

  static void visit(auto& self, auto& v) {
    v("conv_in", self.conv_in);
    v("time_embedding", self.time_embedding);
    v("add_embedding", self.add_embedding);
    v("down_blocks", self.down_blocks);
    v("mid_block", self.mid_block);
    v("up_blocks", self.up_blocks);
    v("conv_norm_out", self.conv_norm_out);
    v("conv_out", self.conv_out);
  }

 private:
  void build(const UNetLayer& layer);

  nn::Conv2d conv_in;
  TimestepEmbedding time_embedding, add_embedding;
  std::vector<DownBlock> down_blocks;
  MidBlock mid_block;
  std::vector<UpBlock> up_blocks;
  nn::GroupNorm conv_norm_out;
  nn::Conv2d conv_out;
};

// Under 100 million parameters, single-thread workers on a picture each beat several threads on one picture.
bool is_small_unet(const UNetConfig& config);

// Sinusoidal embedding of each entry of t [n] -> [n, dim], fp32; with flip_sin_to_cos the cosines come first.
Tensor sinusoidal_embedding(const Tensor& t, int64_t dim, bool flip_sin_to_cos, double freq_shift);

}  // namespace negativa
