#pragma once
// The autoencoder between pictures and latents (AutoencoderKL, or TAESD's AutoencoderTiny). Member names are the checkpoint's
// keys. Source: Rombach et al. 2022, arXiv:2112.10752; diffusers, models/autoencoders/autoencoder_kl.py and vae.py.
#include "core/generator.h"
#include "nn/resnet_block.h"
#include "vae/tiles.h"
#include "vae/tiny.h"

namespace negativa {

struct VaeConfig {
  int64_t in_channels = 3, out_channels = 3, latent_channels = 4;
  std::vector<int64_t> block_out_channels{64};
  int64_t layers_per_block = 1, norm_num_groups = 32;
  bool mid_block_add_attention = true, use_quant_conv = true, use_post_quant_conv = true;
  double scaling_factor = 0.18215;
  std::vector<double> latents_mean, latents_std;  // empty: 0 and 1
  bool force_upcast = true;                       // overflows in fp16: decode in fp32
  // Of a TAESD; then block_out_channels are its decoder's, and what only an AutoencoderKL has is without meaning.
  std::optional<TinyVaeConfig> tiny;

  bool has_encoder() const { return !tiny || !tiny->encoder.empty(); }
  int64_t factor() const { return int64_t{1} << (block_out_channels.size() - 1); }  // picture side / latent side
  // Throws ErrorKind::file_format, naming the entry.
  static VaeConfig from_json(std::string_view text, std::string_view where);
};

inline constexpr double scaling_factor_of_sdxl = 0.13025;
// Whether latents are scaled as SDXL's are: those that a TAESD of SDXL knows.
bool has_scale_of_sdxl(const VaeConfig& config);

// One head over all positions, C wide.
struct VaeAttention {
  nn::GroupNorm group_norm;
  nn::Linear to_q, to_k, to_v, to_out;

  VaeAttention() = default;
  VaeAttention(int64_t channels, int64_t groups);
  Tensor forward(const Tensor& x) const;  // [B,C,H,W]

  static void visit(auto& self, auto& v) {
    v("group_norm", self.group_norm);
    v("to_q", self.to_q);
    v("to_k", self.to_k);
    v("to_v", self.to_v);
    v("to_out.0", self.to_out);
  }
};

struct VaeMidBlock {
  std::vector<nn::ResnetBlock> resnets;
  std::vector<VaeAttention> attentions;

  VaeMidBlock() = default;
  VaeMidBlock(int64_t channels, const VaeConfig& config);
  Tensor forward(const Tensor& x) const;

  static void visit(auto& self, auto& v) {
    v("resnets", self.resnets);
    v("attentions", self.attentions);
  }
};

struct VaeEncoder {
  struct Block {
    std::vector<nn::ResnetBlock> resnets;
    std::vector<nn::Downsample> downsamplers;
    static void visit(auto& self, auto& v) {
      v("resnets", self.resnets);
      v("downsamplers", self.downsamplers);
    }
  };
  nn::Conv2d conv_in;
  std::vector<Block> down_blocks;
  VaeMidBlock mid_block;
  nn::GroupNorm conv_norm_out;
  nn::Conv2d conv_out;

  VaeEncoder() = default;
  explicit VaeEncoder(const VaeConfig& config);
  Tensor forward(const Tensor& image) const;  // [B,3,H,W] -> [B, 2 * latent_channels, H/f, W/f]

  static void visit(auto& self, auto& v) {
    v("conv_in", self.conv_in);
    v("down_blocks", self.down_blocks);
    v("mid_block", self.mid_block);
    v("conv_norm_out", self.conv_norm_out);
    v("conv_out", self.conv_out);
  }
};

struct VaeDecoder {
  struct Block {
    std::vector<nn::ResnetBlock> resnets;
    std::vector<nn::Upsample> upsamplers;
    static void visit(auto& self, auto& v) {
      v("resnets", self.resnets);
      v("upsamplers", self.upsamplers);
    }
  };
  nn::Conv2d conv_in;
  VaeMidBlock mid_block;
  std::vector<Block> up_blocks;
  nn::GroupNorm conv_norm_out;
  nn::Conv2d conv_out;

  VaeDecoder() = default;
  explicit VaeDecoder(const VaeConfig& config);
  Tensor forward(Tensor latents) const;  // [B, latent_channels, h, w] -> [B,3,h f,w f]

  static void visit(auto& self, auto& v) {
    v("conv_in", self.conv_in);
    v("mid_block", self.mid_block);
    v("up_blocks", self.up_blocks);
    v("conv_norm_out", self.conv_norm_out);
    v("conv_out", self.conv_out);
  }
};

// Mean and standard deviation of the latents of a picture, before scaling. [B, latent_channels, H/f, W/f] each
struct LatentDistribution {
  Tensor mean, std;
};

class Vae {
 public:
  explicit Vae(const VaeConfig& config);
  void load(const Weights& weights, const nn::LoadOptions& options) { nn::load("vae", nn::walk(*this), weights, options); }
  static void check_weights(const VaeConfig& config, const Weights& weights);  // what load would refuse, from headers alone

  // image [B,3,H,W] in [-1,1], H and W multiples of the factor. A TAESD has no spread: std is 0. Throws ErrorKind::missing_key
  // where there is no encoder.
  LatentDistribution encode(const Tensor& image, const Tiling& tiling = {}, const CancelToken* cancel = nullptr) const;
  // latents [B,C,h,w], × scaling_factor as everywhere in this program -> [B,3,h f,w f], about [-1,1], not clamped.
  Tensor decode(const Tensor& latents, const Tiling& tiling = {}, const CancelToken* cancel = nullptr) const;
  // × scaling_factor, shifted where the config has latents_mean and latents_std; and back.
  Tensor scale(const Tensor& z) const;
  Tensor unscale(const Tensor& latents) const;

  const VaeConfig config;

  static void visit(auto& self, auto& v) {
    v("encoder", self.encoder);
    v("decoder", self.decoder);
    v("encoder", self.tiny_encoder);
    v("decoder", self.tiny_decoder);
    v("quant_conv", self.quant_conv);
    v("post_quant_conv", self.post_quant_conv);
  }

 private:
  Tensor encode_square(const Tensor& image) const;
  Tensor decode_square(const Tensor& z) const;

  std::optional<VaeEncoder> encoder;
  std::optional<VaeDecoder> decoder;
  std::optional<TinyHalf> tiny_encoder, tiny_decoder;
  std::optional<nn::Conv2d> quant_conv, post_quant_conv;  // 1x1
};

// Decodes in the dtype of the latents (fp32 when they are fp16 and the config says force_upcast); a picture with NaN or infinity
// is decoded once more in fp32, and *retried tells. Throws ErrorKind::machine if that is not finite either.
Tensor decode_finite(const Vae& vae, const Tensor& latents, bool* retried, const Tiling& tiling = {},
                     const CancelToken* cancel = nullptr);

}  // namespace negativa
