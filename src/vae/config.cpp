#include <algorithm>

#include "base/config_reader.h"
#include "vae/vae.h"

namespace negativa {

namespace {

constexpr size_t most_blocks = 7;
constexpr int64_t most_layers = 1000;

void check_supported(const ConfigReader& config, size_t blocks) {
  config.expect("act_fn", "silu");
  config.expect("shift_factor", nullptr, ": no SDXL VAE has one");
  for (const auto& [key, expected] :
       {std::pair{"down_block_types", "DownEncoderBlock2D"}, {"up_block_types", "UpDecoderBlock2D"}}) {
    if (!config.has(key)) continue;
    const auto types = config.need<std::vector<std::string>>(key);
    for (size_t i = 0; i < types.size(); ++i)
      if (types[i] != expected) config.refuse(fmt::format("{}[{}]", key, i), types[i], expected);
    config.check(types.size() == blocks, key, "{} block types, as many as block_out_channels has", blocks);
  }
}

// One number a latent channel; empty where absent.
std::vector<double> of_latents(const ConfigReader& config, const std::string& key, int64_t channels) {
  auto list = config.get(key, std::vector<double>{});
  config.check(!config.has(key) || static_cast<int64_t>(list.size()) == channels, key, "{} numbers, one a latent channel",
               channels);
  return list;
}

}  // namespace

VaeConfig VaeConfig::from_json(std::string_view text, std::string_view where) {
  const ConfigReader reader(text, std::string(where));
  VaeConfig config;
  if (reader.has("block_out_channels")) config.block_out_channels = reader.need_sizes("block_out_channels");
  check_supported(reader, config.block_out_channels.size());
  reader.check(config.block_out_channels.size() <= most_blocks, "block_out_channels", "at most {} blocks", most_blocks);
  reader.read_size("in_channels", config.in_channels);
  reader.read_size("out_channels", config.out_channels);
  reader.read_size("latent_channels", config.latent_channels);
  reader.read_size("layers_per_block", config.layers_per_block, most_layers);
  reader.read_size("norm_num_groups", config.norm_num_groups);
  reader.read("mid_block_add_attention", config.mid_block_add_attention);
  reader.read("use_quant_conv", config.use_quant_conv);
  reader.read("use_post_quant_conv", config.use_post_quant_conv);
  reader.read_positive("scaling_factor", config.scaling_factor);
  reader.read("force_upcast", config.force_upcast);
  config.latents_mean = of_latents(reader, "latents_mean", config.latent_channels);
  config.latents_std = of_latents(reader, "latents_std", config.latent_channels);
  for (const double std : config.latents_std) reader.check(std > 0, "latents_std", "numbers above 0");
  for (const auto& [key, channels] : {std::pair{"in_channels", config.in_channels}, {"out_channels", config.out_channels}})
    reader.check(channels == 3, key, "3: red, green and blue");
  for (const auto channels : config.block_out_channels)
    reader.check(channels % config.norm_num_groups == 0, "norm_num_groups", "a divisor of block_out_channels {}", channels);
  return config;
}

}  // namespace negativa
