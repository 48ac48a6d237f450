#include "vae/vae.h"

namespace negativa {

namespace {

constexpr double eps = 1e-6;  // of every GroupNorm in the VAE; the UNet's resnets have 1e-5

nn::ResnetBlock resnet(const VaeConfig& config, int64_t in_channels, int64_t out_channels) {
  return nn::ResnetBlock({in_channels, out_channels, config.norm_num_groups, eps});
}

Tensor per_channel(const std::vector<double>& values, const Tensor& like) {
  return at::tensor(values, at::kDouble).to(like.options()).view({1, -1, 1, 1});
}

}  // namespace

VaeAttention::VaeAttention(int64_t channels, int64_t groups)
    : group_norm(groups, channels, eps),
      to_q(channels, channels),
      to_k(channels, channels),
      to_v(channels, channels),
      to_out(channels, channels) {}

Tensor VaeAttention::forward(const Tensor& x) const {
  const auto b = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
  const Tensor tokens = group_norm.forward(x).permute({0, 2, 3, 1}).reshape({b, h * w, c});
  const Tensor out = to_out.forward(nn::attention(to_q.forward(tokens), to_k.forward(tokens), to_v.forward(tokens), 1));
  return x + out.view({b, h, w, c}).permute({0, 3, 1, 2});
}

VaeMidBlock::VaeMidBlock(int64_t channels, const VaeConfig& config) {
  resnets.assign(2, resnet(config, channels, channels));
  if (config.mid_block_add_attention) attentions.emplace_back(channels, config.norm_num_groups);
}

Tensor VaeMidBlock::forward(const Tensor& x) const {
  Tensor h = resnets[0].forward(x);
  for (const auto& attention : attentions) h = attention.forward(h);
  return resnets[1].forward(h);
}

VaeEncoder::VaeEncoder(const VaeConfig& config)
    : conv_in(config.in_channels, config.block_out_channels.front()),
      mid_block(config.block_out_channels.back(), config),
      conv_norm_out(config.norm_num_groups, config.block_out_channels.back(), eps),
      conv_out(config.block_out_channels.back(), 2 * config.latent_channels) {
  int64_t channels = config.block_out_channels.front();
  for (size_t i = 0; i < config.block_out_channels.size(); ++i) {
    Block& block = down_blocks.emplace_back();
    for (int64_t j = 0; j < config.layers_per_block; ++j) {
      block.resnets.push_back(resnet(config, channels, config.block_out_channels[i]));
      channels = config.block_out_channels[i];
    }
    if (i + 1 < config.block_out_channels.size()) block.downsamplers.push_back({nn::Conv2d(channels, channels, 3, 2, 0)});
  }
}

Tensor VaeEncoder::forward(const Tensor& image) const {
  Tensor x = conv_in.forward(image.contiguous(at::MemoryFormat::ChannelsLast));
  for (const auto& block : down_blocks) {
    for (const auto& resnet : block.resnets) x = resnet.forward(x);
    // Padded on the right and at the bottom only.
    for (const auto& downsampler : block.downsamplers) x = downsampler.conv.forward(at::constant_pad_nd(x, {0, 1, 0, 1}));
  }
  return conv_out.forward(conv_norm_out.forward_silu(mid_block.forward(x)));
}

VaeDecoder::VaeDecoder(const VaeConfig& config)
    : conv_in(config.latent_channels, config.block_out_channels.back()),
      mid_block(config.block_out_channels.back(), config),
      conv_norm_out(config.norm_num_groups, config.block_out_channels.front(), eps),
      conv_out(config.block_out_channels.front(), config.out_channels) {
  int64_t channels = config.block_out_channels.back();
  for (size_t i = config.block_out_channels.size(); i-- > 0;) {
    Block& block = up_blocks.emplace_back();
    for (int64_t j = 0; j < config.layers_per_block + 1; ++j) {
      block.resnets.push_back(resnet(config, channels, config.block_out_channels[i]));
      channels = config.block_out_channels[i];
    }
    if (i > 0) block.upsamplers.push_back({nn::Conv2d(channels, channels)});
  }
}

Tensor VaeDecoder::forward(Tensor x) const {
  x = mid_block.forward(conv_in.forward(x.contiguous(at::MemoryFormat::ChannelsLast)));
  for (const auto& block : up_blocks) {
    for (const auto& resnet : block.resnets) x = resnet.forward(x);
    for (const auto& upsampler : block.upsamplers) x = upsampler.forward(x, 2 * x.size(2), 2 * x.size(3));
  }
  return conv_out.forward(conv_norm_out.forward_silu(x));
}

Vae::Vae(const VaeConfig& config) : config(config) {
  if (config.tiny) {
    if (config.has_encoder()) tiny_encoder = TinyHalf::encoder(*config.tiny, config.in_channels, config.latent_channels);
    tiny_decoder = TinyHalf::decoder(*config.tiny, config.latent_channels, config.out_channels);
    return;
  }
  encoder.emplace(config);
  decoder.emplace(config);
  const auto c = config.latent_channels;
  if (config.use_quant_conv) quant_conv.emplace(2 * c, 2 * c, 1, 1, 0);
  if (config.use_post_quant_conv) post_quant_conv.emplace(c, c, 1, 1, 0);
}

void Vae::check_weights(const VaeConfig& config, const Weights& weights) {
  Vae vae(config);  // without weights
  nn::check_weights("vae", nn::walk(vae), weights);
}

// [B,3,H,W] in [-1,1] -> moments [B, 2 * latent_channels, H/f, W/f]; of a TAESD, which knows pictures in [0,1], the latents.
Tensor Vae::encode_square(const Tensor& image) const {
  if (tiny_encoder) return tiny_encoder->forward((image + 1) / 2);
  const Tensor moments = encoder->forward(image);
  return quant_conv ? quant_conv->forward(moments) : moments;
}

Tensor Vae::decode_square(const Tensor& z) const {
  if (tiny_decoder) return tiny_decoder->forward(at::tanh(z / 3) * 3) * 2 - 1;
  return decoder->forward(post_quant_conv ? post_quant_conv->forward(z) : z);
}

LatentDistribution Vae::encode(const Tensor& image, const Tiling& tiling, const CancelToken* cancel) const {
  check_shape("image", image, {-1, config.in_channels, -1, -1});
  check(config.has_encoder(), ErrorKind::missing_key, "[vae] has no encoder, only a decoder");
  check(image.size(2) % config.factor() == 0 && image.size(3) % config.factor() == 0, ErrorKind::shape,
        "[vae] got a picture of {}x{}, expected multiples of {}", image.size(3), image.size(2), config.factor());
  const auto encode = [&](const Tensor& x) { return encode_square(x); };
  const int64_t factor = config.factor();
  const bool is_cut = tiling.cuts(image.size(2) / factor, image.size(3) / factor);
  const Tensor moments = is_cut ? in_tiles(image, encoding_grid(tiling, factor), encode, cancel) : encode_square(image);
  if (config.tiny) return {moments, at::zeros_like(moments)};
  const auto halves = moments.chunk(2, 1);
  return {halves[0], at::exp(0.5 * at::clamp(halves[1], -30.0, 20.0))};
}

Tensor Vae::decode(const Tensor& latents, const Tiling& tiling, const CancelToken* cancel) const {
  check_shape("latents", latents, {-1, config.latent_channels, -1, -1});
  const Tensor z = unscale(latents);
  const auto decode = [&](const Tensor& x) { return decode_square(x); };
  if (!tiling.cuts(z.size(2), z.size(3))) return decode_square(z);
  return in_tiles(z, decoding_grid(tiling, config.factor()), decode, cancel);
}

Tensor Vae::scale(const Tensor& z) const {
  if (config.latents_mean.empty() || config.latents_std.empty()) return z * config.scaling_factor;
  return (z - per_channel(config.latents_mean, z)) * config.scaling_factor / per_channel(config.latents_std, z);
}

Tensor Vae::unscale(const Tensor& latents) const {
  if (config.latents_mean.empty() || config.latents_std.empty()) return latents / config.scaling_factor;
  return latents * per_channel(config.latents_std, latents) / config.scaling_factor + per_channel(config.latents_mean, latents);
}

Tensor decode_finite(const Vae& vae, const Tensor& latents, bool* retried, const Tiling& tiling, const CancelToken* cancel) {
  const bool upcast = latents.scalar_type() == at::kHalf && vae.config.force_upcast;
  Tensor image = vae.decode(upcast ? latents.to(at::kFloat) : latents, tiling, cancel);
  *retried = image.scalar_type() != at::kFloat && !at::isfinite(image).all().item<bool>();
  if (*retried) image = vae.decode(latents.to(at::kFloat), tiling, cancel);
  check(at::isfinite(image).all().item<bool>(), ErrorKind::machine,
        "[vae] the decoded picture is not finite even in fp32: the latents or the VAE's weights are broken; try another --vae");
  return image;
}

}  // namespace negativa
