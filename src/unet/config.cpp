#include "unet/config.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/json.h"

namespace negativa {

namespace {

// A scalar entry stands for every block.
std::vector<int64_t> per_block(const Json& config, const char* key, size_t blocks, int64_t otherwise, std::string_view where) {
  const Json value = config.value(key, Json());
  if (value.is_null()) return std::vector<int64_t>(blocks, otherwise);
  if (value.is_number_integer()) return std::vector<int64_t>(blocks, value.get<int64_t>());
  check(value.is_array() && value.size() == blocks, ErrorKind::file_format, "[{}] got {} = {}, expected a number or {} numbers",
        where, key, value.dump(), blocks);
  return get<std::vector<int64_t>>(config, key, where);
}

// What the makers of SSD-1B, Segmind-Vega and KOALA took away.
void refuse_pruned(const Json& config, std::string_view where) {
  const Json mid = config.value("mid_block_type", Json("UNetMidBlock2DCrossAttn")),
             depth = config.value("transformer_layers_per_block", Json());
  const bool has_lists_within =
      depth.is_array() && std::any_of(depth.begin(), depth.end(), [](const Json& layers) { return layers.is_array(); });
  const bool is_reversed_apart = !config.value("reverse_transformer_layers_per_block", Json()).is_null();
  check(mid != "UNetMidBlock2D" && !mid.is_null() && !has_lists_within && !is_reversed_apart, ErrorKind::file_format,
        "[{}] is a pruned SDXL ({}), as SSD-1B, Segmind-Vega and KOALA-700M are, which is not drawn; give a model with SDXL's "
        "own blocks",
        where,
        mid == "UNetMidBlock2DCrossAttn" ? "transformer layers that differ from block to block"
                                         : "no attention in its middle block");
}

struct Expected {
  const char* key;
  Json value;
};

// Settings of other architectures: a value we do not compute must not be passed over in silence.
void check_supported(const Json& config, std::string_view where) {
  const Expected supported[] = {
      {"addition_embed_type", "text_time"},
      {"use_linear_projection", true},
      {"act_fn", "silu"},
      {"class_embed_type", nullptr},
      {"mid_block_type", "UNetMidBlock2DCrossAttn"},
      {"resnet_time_scale_shift", "default"},
      {"dual_cross_attention", false},
      {"only_cross_attention", false},
      {"encoder_hid_dim_type", nullptr},
      {"time_embedding_type", "positional"},
      {"conv_in_kernel", 3},
      {"conv_out_kernel", 3},
      {"center_input_sample", false},
      {"time_cond_proj_dim", nullptr},
      {"time_embedding_dim", nullptr},
      {"cross_attention_norm", nullptr},
      {"attention_type", "default"},
      {"num_class_embeds", nullptr},
      {"timestep_post_act", nullptr},
      {"time_embedding_act_fn", nullptr},
      {"mid_block_scale_factor", 1},
      {"resnet_skip_time_act", false},
      {"resnet_out_scale_factor", 1.0},
      {"reverse_transformer_layers_per_block", nullptr},
      {"class_embeddings_concat", false},
      {"downsample_padding", 1},
  };
  for (const auto& [key, value] : supported) {
    // The class default of the two entries that make SDXL differs from ours, so they must be there.
    const bool needed = std::string_view(key) == "addition_embed_type" || std::string_view(key) == "use_linear_projection";
    const Json got = config.contains(key) ? config.at(key) : needed ? Json() : value;
    check(got == value, ErrorKind::file_format, "[{}] got {} = {}, expected {}; this is not an SDXL UNet", where, key, got.dump(),
          value.dump());
  }
}

bool has_attention(const std::string& type, const char* with, const char* without, std::string_view where) {
  check(type == with || type == without, ErrorKind::file_format, "[{}] got block type {}, expected {} or {}", where, type, with,
        without);
  return type == with;
}

// A number, or height and width where they are the same: pictures are square unless asked for otherwise.
int64_t sample_size_of(const Json& config, int64_t otherwise, std::string_view where) {
  const Json value = config.value("sample_size", Json());
  if (!value.is_array()) return get_or(config, "sample_size", otherwise, where);
  const auto sides = get<std::vector<int64_t>>(config, "sample_size", where);
  check(sides.size() == 2 && sides[0] == sides[1], ErrorKind::file_format,
        "[{}] \"sample_size\": got {}, expected one number or twice the same; write the shorter side there and choose sizes with "
        "-W and -H",
        where, value.dump());
  return sides[0];
}

std::vector<UNetConfig::Block> blocks_of(const Json& config, std::string_view where) {
  const auto channels = get<std::vector<int64_t>>(config, "block_out_channels", where);
  const auto down = get<std::vector<std::string>>(config, "down_block_types", where);
  const auto up = get<std::vector<std::string>>(config, "up_block_types", where);
  const size_t n = channels.size();
  check(n > 0 && down.size() == n && up.size() == n, ErrorKind::file_format,
        "[{}] got {} block_out_channels, {} down and {} up block types; expected the same number of each", where, n, down.size(),
        up.size());
  const auto layers = per_block(config, "layers_per_block", n, 2, where);
  const auto depth = per_block(config, "transformer_layers_per_block", n, 1, where);
  // attention_head_dim holds the number of heads: a naming error that diffusers keeps for compatibility.
  const bool named = !config.value("num_attention_heads", Json()).is_null();
  const auto heads = per_block(config, named ? "num_attention_heads" : "attention_head_dim", n, 8, where);
  const auto context = per_block(config, "cross_attention_dim", n, 1280, where);
  std::vector<UNetConfig::Block> blocks;
  for (size_t i = 0; i < n; ++i) {
    check(channels[i] > 0 && heads[i] > 0 && channels[i] % heads[i] == 0 && layers[i] > 0 && depth[i] >= 0 && context[i] > 0,
          ErrorKind::file_format, "[{}] block {}: {} channels, {} heads, {} layers, depth {}, context {} do not fit together",
          where, i, channels[i], heads[i], layers[i], depth[i], context[i]);
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
    check(json.is_object(), ErrorKind::file_format, "[{}] got {}, expected a JSON object", where, json_excerpt(json));
    refuse_pruned(json, where);
    check_supported(json, where);
    UNetConfig config;
    const auto read = [&](const char* key, auto& value) { value = get_or(json, key, value, where); };
    read("in_channels", config.in_channels);
    read("out_channels", config.out_channels);
    config.sample_size = sample_size_of(json, config.sample_size, where);
    read("norm_num_groups", config.norm_num_groups);
    read("norm_eps", config.norm_eps);
    read("flip_sin_to_cos", config.flip_sin_to_cos);
    read("freq_shift", config.freq_shift);
    config.addition_time_embed_dim = get<int64_t>(json, "addition_time_embed_dim", where);
    config.projection_class_embeddings_input_dim = get<int64_t>(json, "projection_class_embeddings_input_dim", where);
    config.blocks = blocks_of(json, where);
    for (const auto& block : config.blocks)
      check(config.norm_num_groups > 0 && block.channels % config.norm_num_groups == 0, ErrorKind::file_format,
            "[{}] {} channels cannot be split into {} groups", where, block.channels, config.norm_num_groups);
    check(config.sample_size > 0 && config.addition_time_embed_dim > 0 && config.in_channels > 0, ErrorKind::file_format,
          "[{}] got a size of zero or less", where);
    check(config.norm_eps > 0 && std::isfinite(config.norm_eps) && std::isfinite(config.freq_shift), ErrorKind::file_format,
          "[{}] got norm_eps {} and freq_shift {}, expected finite numbers and norm_eps above 0", where, config.norm_eps,
          config.freq_shift);
    return config;
  } catch (const Json::exception& e) {
    fail(ErrorKind::file_format, "[{}] {}", where, e.what());
  }
}

void UNetConfig::check_draws_from_text(std::string_view where) const {
  if (in_channels == out_channels) return;
  const char* what = "is no UNet that draws from a text alone: it";
  if (in_channels == 9) what = "is an inpainting model: its UNet takes a mask and the masked picture beside the latents, and";
  if (in_channels == 8)
    what = "is a model that edits pictures (InstructPix2Pix, CosXL Edit): its UNet takes a picture beside the latents, and";
  fail(ErrorKind::input, "[{}] {} has {} channels where {} are given; only text to image is built: give a plain SDXL model",
       where, what, in_channels, out_channels);
}

}  // namespace negativa
