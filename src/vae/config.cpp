#include "base/json.h"
#include "vae/vae.h"

namespace negativa {

namespace {

void check_supported(const Json& json, std::string_view where) {
  check(json.value("act_fn", "silu") == "silu", ErrorKind::file_format, "[{}] got act_fn {}, expected silu", where,
        json.at("act_fn").dump());
  for (const char* key : {"down_block_types", "up_block_types"}) {
    const std::string expected = key[0] == 'd' ? "DownEncoderBlock2D" : "UpDecoderBlock2D";
    for (const auto& type : json.value(key, Json::array()))
      check(type == expected, ErrorKind::file_format, "[{}] got {} in {}, expected {}", where, type.dump(), key, expected);
  }
  check(json.value("shift_factor", Json()).is_null(), ErrorKind::file_format, "[{}] has a shift_factor, which no SDXL VAE has",
        where);
}

std::vector<double> optional_list(const Json& json, const char* key, int64_t size, std::string_view where) {
  const Json value = json.value(key, Json());
  if (value.is_null()) return {};
  const auto list = value.get<std::vector<double>>();
  check(static_cast<int64_t>(list.size()) == size, ErrorKind::file_format, "[{}] got {} numbers in {}, expected {}", where,
        list.size(), key, size);
  return list;
}

}  // namespace

VaeConfig VaeConfig::from_json(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  try {
    check_supported(json, where);
    VaeConfig config;
    config.in_channels = json.value("in_channels", config.in_channels);
    config.out_channels = json.value("out_channels", config.out_channels);
    config.latent_channels = json.value("latent_channels", config.latent_channels);
    config.block_out_channels = json.value("block_out_channels", config.block_out_channels);
    config.layers_per_block = json.value("layers_per_block", config.layers_per_block);
    config.norm_num_groups = json.value("norm_num_groups", config.norm_num_groups);
    config.mid_block_add_attention = json.value("mid_block_add_attention", true);
    config.use_quant_conv = json.value("use_quant_conv", true);
    config.use_post_quant_conv = json.value("use_post_quant_conv", true);
    config.scaling_factor = json.value("scaling_factor", config.scaling_factor);
    config.force_upcast = json.value("force_upcast", true);
    config.latents_mean = optional_list(json, "latents_mean", config.latent_channels, where);
    config.latents_std = optional_list(json, "latents_std", config.latent_channels, where);
    check(!config.block_out_channels.empty() && config.block_out_channels.size() < 8 && config.norm_num_groups > 0 &&
              config.layers_per_block > 0,
          ErrorKind::file_format, "[{}] block_out_channels, layers_per_block or norm_num_groups is empty or zero", where);
    for (const auto channels : config.block_out_channels)
      check(channels > 0 && channels % config.norm_num_groups == 0, ErrorKind::file_format,
            "[{}] {} channels cannot be split into {} groups", where, channels, config.norm_num_groups);
    check(config.scaling_factor > 0, ErrorKind::file_format, "[{}] got scaling_factor {}, expected more than 0", where,
          config.scaling_factor);
    return config;
  } catch (const Json::exception& e) {
    fail(ErrorKind::file_format, "[{}] {}", where, e.what());
  }
}

}  // namespace negativa
