#include <algorithm>
#include <cmath>

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

// Levels of one half of a TAESD; both lists empty: that half is not there.
std::vector<TinyVaeConfig::Level> tiny_levels(const ConfigReader& config, const std::string& half,
                                              const std::vector<int64_t>& usual_blocks) {
  const std::string widths_key = half + "_block_out_channels", blocks_key = "num_" + half + "_blocks";
  const auto sizes = [&](const std::string& key, std::vector<int64_t> usual) {
    if (!config.has(key)) return usual;
    return config.value(key) == Json::array() ? std::vector<int64_t>() : config.need_sizes(key);
  };
  const auto widths = sizes(widths_key, std::vector<int64_t>(usual_blocks.size(), 64)), blocks = sizes(blocks_key, usual_blocks);
  config.check(blocks.size() == widths.size() && blocks.size() <= most_blocks, blocks_key,
               "as many numbers as {} has, at most {}", widths_key, most_blocks);
  std::vector<TinyVaeConfig::Level> levels;
  for (size_t i = 0; i < widths.size(); ++i) {
    config.check(widths[i] == widths.front(), widths_key, "one width: the levels are joined by convolutions that keep it");
    config.check(blocks[i] <= most_layers, blocks_key, "at most {} blocks a level", most_layers);
    levels.push_back({blocks[i], widths[i]});
  }
  return levels;
}

// diffusers' AutoencoderTiny with its defaults.
VaeConfig tiny_config(const ConfigReader& reader) {
  reader.expect("act_fn", "relu");
  reader.expect("upsample_fn", "nearest");
  reader.expect("upsampling_scaling_factor", 2);
  reader.expect("shift_factor", 0.0);
  VaeConfig config;
  config.force_upcast = false;
  config.scaling_factor = 1;
  reader.read_size("in_channels", config.in_channels);
  reader.read_size("out_channels", config.out_channels);
  reader.read_size("latent_channels", config.latent_channels);
  reader.read_positive("scaling_factor", config.scaling_factor);
  reader.read("force_upcast", config.force_upcast);
  config.tiny = {tiny_levels(reader, "encoder", {1, 3, 3, 3}), tiny_levels(reader, "decoder", {3, 3, 3, 1})};
  reader.check(!config.tiny->decoder.empty(), "num_decoder_blocks", "a decoder");
  reader.check(!config.has_encoder() || config.tiny->encoder.size() == config.tiny->decoder.size(), "num_encoder_blocks",
               "as many levels as the decoder has");
  config.block_out_channels.clear();
  for (const auto& level : config.tiny->decoder) config.block_out_channels.push_back(level.channels);
  return config;
}

void check_rgb(const ConfigReader& reader, const VaeConfig& config) {
  for (const auto& [key, channels] : {std::pair{"in_channels", config.in_channels}, {"out_channels", config.out_channels}})
    reader.check(channels == 3, key, "3: red, green and blue");
}

}  // namespace

bool has_scale_of_sdxl(const VaeConfig& config) {
  return std::abs(config.scaling_factor - scaling_factor_of_sdxl) <= 1e-9 && config.latents_mean.empty();
}

VaeConfig VaeConfig::from_json(std::string_view text, std::string_view where) {
  const ConfigReader reader(text, std::string(where));
  VaeConfig config;
  if (reader.value("_class_name") == "AutoencoderTiny") {
    config = tiny_config(reader);
    check_rgb(reader, config);
    return config;
  }
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
  check_rgb(reader, config);
  for (const auto channels : config.block_out_channels)
    reader.check(channels % config.norm_num_groups == 0, "norm_num_groups", "a divisor of block_out_channels {}", channels);
  return config;
}

}  // namespace negativa
