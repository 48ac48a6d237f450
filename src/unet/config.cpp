#include "unet/config.h"

#include "base/error.h"
#include "base/json.h"

namespace negativa {

namespace {

// A scalar entry stands for every block.
std::vector<int64_t> per_block(const Json& config, const char* key, size_t blocks, int64_t otherwise, std::string_view where) {
  const Json value = config.value(key, Json());
  if (value.is_null()) return std::vector<int64_t>(blocks, otherwise);
  if (value.is_number_integer()) return std::vector<int64_t>(blocks, value.get<int64_t>());
  check(value.is_array() && value.size() == blocks, ErrorKind::file_format, "[{}] got {} = {}, expected a number or {} numbers", where, key,
        value.dump(), blocks);
  return value.get<std::vector<int64_t>>();
}

struct Expected {
  const char* key;
  Json value;
};

// Settings of other architectures: a value we do not compute must not be passed over in silence.
void check_supported(const Json& config, std::string_view where) {
  const Expected supported[] = {
      {"addition_embed_type", "text_time"}, {"use_linear_projection", true},       {"act_fn", "silu"},
      {"class_embed_type", nullptr},        {"mid_block_type", "UNetMidBlock2DCrossAttn"}, {"resnet_time_scale_shift", "default"},
      {"dual_cross_attention", false},      {"only_cross_attention", false},       {"encoder_hid_dim_type", nullptr},
      {"time_embedding_type", "positional"}, {"conv_in_kernel", 3},                {"conv_out_kernel", 3},
      {"center_input_sample", false},       {"time_cond_proj_dim", nullptr},       {"time_embedding_dim", nullptr},
      {"cross_attention_norm", nullptr},    {"attention_type", "default"},         {"num_class_embeds", nullptr},
      {"timestep_post_act", nullptr},       {"time_embedding_act_fn", nullptr},    {"mid_block_scale_factor", 1},
      {"resnet_skip_time_act", false},      {"resnet_out_scale_factor", 1.0},      {"reverse_transformer_layers_per_block", nullptr},
      {"class_embeddings_concat", false},   {"downsample_padding", 1},
  };
  for (const auto& [key, value] : supported) {
    // The class default of the two entries that make SDXL differs from ours, so they must be there.
    const bool needed = std::string_view(key) == "addition_embed_type" || std::string_view(key) == "use_linear_projection";
    const Json got = config.contains(key) ? config.at(key) : needed ? Json() : value;
    check(got == value, ErrorKind::file_format, "[{}] got {} = {}, expected {}; this is not an SDXL UNet", where, key, got.dump(), value.dump());
  }
}

bool has_attention(const std::string& type, const char* with, const char* without, std::string_view where) {
  check(type == with || type == without, ErrorKind::file_format, "[{}] got block type {}, expected {} or {}", where, type, with, without);
  return type == with;
}

std::vector<UNetConfig::Block> blocks_of(const Json& config, std::string_view where) {
  const auto channels = config.at("block_out_channels").get<std::vector<int64_t>>();
  const auto down = config.at("down_block_types").get<std::vector<std::string>>();
  const auto up = config.at("up_block_types").get<std::vector<std::string>>();
  const size_t n = channels.size();
  check(n > 0 && down.size() == n && up.size() == n, ErrorKind::file_format,
        "[{}] got {} block_out_channels, {} down and {} up block types; expected the same number of each", where, n, down.size(), up.size());
  const auto layers = per_block(config, "layers_per_block", n, 2, where);
  const auto depth = per_block(config, "transformer_layers_per_block", n, 1, where);
  // attention_head_dim holds the number of heads: a naming error that diffusers keeps for compatibility.
  const bool named = !config.value("num_attention_heads", Json()).is_null();
  const auto heads = per_block(config, named ? "num_attention_heads" : "attention_head_dim", n, 8, where);
  const auto context = per_block(config, "cross_attention_dim", n, 1280, where);
  std::vector<UNetConfig::Block> blocks;
  for (size_t i = 0; i < n; ++i) {
    check(channels[i] > 0 && heads[i] > 0 && channels[i] % heads[i] == 0 && layers[i] > 0 && depth[i] >= 0 && context[i] > 0,
          ErrorKind::file_format, "[{}] block {}: {} channels, {} heads, {} layers, depth {}, context {} do not fit together", where, i,
          channels[i], heads[i], layers[i], depth[i], context[i]);
    blocks.push_back({channels[i], layers[i], depth[i], heads[i], context[i],
                      has_attention(down[i], "CrossAttnDownBlock2D", "DownBlock2D", where),
                      has_attention(up[n - 1 - i], "CrossAttnUpBlock2D", "UpBlock2D", where)});
  }
  return blocks;
}

}  // namespace

UNetConfig UNetConfig::from_json(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  try {
    check_supported(json, where);
    UNetConfig config;
    config.in_channels = json.value("in_channels", config.in_channels);
    config.out_channels = json.value("out_channels", config.out_channels);
    config.sample_size = json.value("sample_size", Json()).is_null() ? config.sample_size : json.at("sample_size").get<int64_t>();
    config.norm_num_groups = json.value("norm_num_groups", config.norm_num_groups);
    config.norm_eps = json.value("norm_eps", config.norm_eps);
    config.flip_sin_to_cos = json.value("flip_sin_to_cos", config.flip_sin_to_cos);
    config.freq_shift = json.value("freq_shift", config.freq_shift);
    config.addition_time_embed_dim = json.at("addition_time_embed_dim").get<int64_t>();
    config.projection_class_embeddings_input_dim = json.at("projection_class_embeddings_input_dim").get<int64_t>();
    config.blocks = blocks_of(json, where);
    for (const auto& block : config.blocks)
      check(config.norm_num_groups > 0 && block.channels % config.norm_num_groups == 0, ErrorKind::file_format,
            "[{}] {} channels cannot be split into {} groups", where, block.channels, config.norm_num_groups);
    check(config.sample_size > 0 && config.addition_time_embed_dim > 0 && config.in_channels > 0, ErrorKind::file_format,
          "[{}] got a size of zero or less", where);
    return config;
  } catch (const Json::exception& e) {
    fail(ErrorKind::file_format, "[{}] {}", where, e.what());
  }
}

}  // namespace negativa
