#include "unet/config.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "base/config_reader.h"

namespace negativa {

namespace {

constexpr const char* not_sdxl = "; this is not an SDXL UNet";
constexpr int64_t most_layers = 1000;

// One number a block; a scalar entry stands for every block.
std::vector<int64_t> per_block(const ConfigReader& config, const std::string& key, size_t blocks, int64_t otherwise,
                               std::pair<int64_t, int64_t> range) {
  std::vector<int64_t> values(blocks, otherwise);
  if (config.value(key).is_array()) {
    values = config.get(key, values);
    config.check(values.size() == blocks, key, "a number or {} numbers, as block_out_channels has", blocks);
  } else {
    values.assign(blocks, config.get(key, otherwise));
  }
  for (const int64_t value : values)
    config.check(value >= range.first && value <= range.second, key, "{} to {}", range.first, range.second);
  return values;
}

// Depths of transformers, a list a block with a number a resnet.
using Depths = std::vector<std::vector<int64_t>>;

// A number stands for every block or every resnet of its block.
Depths depths_of(const ConfigReader& config, const std::string& key, const std::vector<int64_t>& resnets) {
  const Json& given = config.value(key);
  const auto repeated = [](const Json& value, size_t count) {
    return value.is_array() ? value : Json(std::vector(count, value));
  };
  const Json blocks = repeated(given.is_null() ? Json(1) : given, resnets.size());
  config.check(blocks.size() == resnets.size(), key, "a number or {} numbers or lists, as block_out_channels has",
               resnets.size());
  Depths depths;
  for (size_t i = 0; i < resnets.size(); ++i) {
    const Json of_block = repeated(blocks[i], static_cast<size_t>(resnets[i]));
    config.check(of_block.size() == static_cast<size_t>(resnets[i]), key, "{} numbers for block {}, one a resnet", resnets[i], i);
    auto& numbers = depths.emplace_back();
    for (const auto& depth : of_block) {
      const bool is_depth = json_holds<int64_t>(depth) && depth >= 0 && depth <= most_layers;
      config.check(is_depth, key, "integers from 0 to {}", most_layers);
      numbers.push_back(depth.get<int64_t>());
    }
  }
  return depths;
}

bool has_lists_within(const Json& depths) {
  return depths.is_array() && std::any_of(depths.begin(), depths.end(), [](const Json& layers) { return layers.is_array(); });
}

// On the way up, in order of the way down.
Depths up_depths_of(const ConfigReader& config, std::vector<int64_t> resnets) {
  const char *key = "transformer_layers_per_block", *reversed = "reverse_transformer_layers_per_block";
  for (auto& count : resnets) ++count;
  if (!config.has(reversed)) {
    config.check(!has_lists_within(config.value(key)), reversed, "the depths on the way up, since {} has lists", key);
    return depths_of(config, key, resnets);
  }
  std::reverse(resnets.begin(), resnets.end());
  Depths depths = depths_of(config, reversed, resnets);
  std::reverse(depths.begin(), depths.end());
  return depths;
}

void read_middle(const ConfigReader& config, const Depths& down, UNetConfig& read) {
  const char* key = "mid_block_type";
  const Json type = config.json().contains(key) ? config.value(key) : Json("UNetMidBlock2DCrossAttn");
  config.check(type.is_null() || type == "UNetMidBlock2DCrossAttn" || type == "UNetMidBlock2D", key,
               "UNetMidBlock2DCrossAttn, UNetMidBlock2D or null");
  read.middle = type.is_null()             ? UNetConfig::Middle::none
                : type == "UNetMidBlock2D" ? UNetConfig::Middle::resnet
                                           : UNetConfig::Middle::attention;
  read.middle_depth = down.back().front();
}

struct Expected {
  const char* key;
  Json value;
};

// Settings of other architectures: a value we do not compute must not be passed over in silence.
void check_supported(const ConfigReader& config) {
  // The class default of the two entries that make SDXL differs from ours, so they must be there.
  for (const auto& [key, value] : {Expected{"addition_embed_type", "text_time"}, Expected{"use_linear_projection", true}})
    config.check(config.value(key) == value, key, "{}{}", value.dump(), not_sdxl);
  const Expected supported[] = {
      {"act_fn", "silu"},
      {"class_embed_type", nullptr},
      {"resnet_time_scale_shift", "default"},
      {"dual_cross_attention", false},
      {"only_cross_attention", false},
      {"encoder_hid_dim", nullptr},
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
      {"class_embeddings_concat", false},
      {"downsample_padding", 1},
  };
  for (const auto& [key, value] : supported) config.expect(key, value, not_sdxl);
  if (config.has("mid_block_only_cross_attention")) config.expect("mid_block_only_cross_attention", false, not_sdxl);
}

// Per block: whether it has attention.
std::vector<bool> attention_of(const ConfigReader& config, const std::string& key, size_t blocks, const std::string& with,
                               const std::string& without) {
  const auto types = config.need<std::vector<std::string>>(key);
  config.check(types.size() == blocks, key, "{} block types, as many as block_out_channels has", blocks);
  std::vector<bool> has_attention;
  for (const auto& type : types) {
    if (type != with && type != without)
      config.refuse(fmt::format("{}[{}]", key, has_attention.size()), type, fmt::format("{} or {}", with, without));
    has_attention.push_back(type == with);
  }
  return has_attention;
}

// A number, or height and width where they are the same: pictures are square unless asked for otherwise.
int64_t sample_size_of(const ConfigReader& config, int64_t otherwise) {
  if (!config.value("sample_size").is_array()) {
    config.read_size("sample_size", otherwise);
    return otherwise;
  }
  const auto sides = config.need_sizes("sample_size");
  config.check(sides.size() == 2 && sides[0] == sides[1], "sample_size",
               "one number or twice the same; write the shorter side there and choose sizes with -W and -H");
  return sides[0];
}

void read_blocks(const ConfigReader& config, UNetConfig& read) {
  const auto channels = config.need_sizes("block_out_channels");
  const size_t n = channels.size();
  const auto down = attention_of(config, "down_block_types", n, "CrossAttnDownBlock2D", "DownBlock2D");
  const auto up = attention_of(config, "up_block_types", n, "CrossAttnUpBlock2D", "UpBlock2D");
  const auto layers = per_block(config, "layers_per_block", n, 2, {1, most_layers});
  const Depths down_depths = depths_of(config, "transformer_layers_per_block", layers), up_depths = up_depths_of(config, layers);
  read_middle(config, down_depths, read);
  // attention_head_dim holds the number of heads: a naming error that diffusers keeps for compatibility.
  const char* of_heads = config.has("num_attention_heads") ? "num_attention_heads" : "attention_head_dim";
  const auto heads = per_block(config, of_heads, n, 8, {1, ConfigReader::largest_size});
  const auto context = per_block(config, "cross_attention_dim", n, 1280, {1, ConfigReader::largest_size});
  const std::vector<int64_t> no_attention;
  for (size_t i = 0; i < n; ++i) {
    config.check(channels[i] % heads[i] == 0, of_heads, "numbers of heads that divide block_out_channels; {} do not divide {}",
                 heads[i], channels[i]);
    read.blocks.push_back({channels[i], layers[i], heads[i], context[i], down[i] ? down_depths[i] : no_attention,
                           up[n - 1 - i] ? up_depths[i] : no_attention});
  }
}

// Sinusoidal embeddings have as many sines as cosines, and divide by half their width less freq_shift.
void check_embeddings(const ConfigReader& config, const UNetConfig& read) {
  const int64_t time = read.blocks.front().channels, ids = read.addition_time_embed_dim;
  config.check(time % 2 == 0, "block_out_channels", "an even number first, got {}", time);
  config.check(ids % 2 == 0, "addition_time_embed_dim", "an even number");
  config.check(read.freq_shift < static_cast<double>(std::min(time, ids)) / 2, "freq_shift",
               "less than {}, half of the width of the embeddings", std::min(time, ids) / 2);
}

}  // namespace

UNetConfig UNetConfig::from_json(std::string_view text, std::string_view where) {
  const ConfigReader reader(text, std::string(where));
  check_supported(reader);
  UNetConfig config;
  reader.read_size("in_channels", config.in_channels);
  reader.read_size("out_channels", config.out_channels);
  config.sample_size = sample_size_of(reader, config.sample_size);
  reader.read_size("norm_num_groups", config.norm_num_groups);
  reader.read_positive("norm_eps", config.norm_eps);
  reader.read("flip_sin_to_cos", config.flip_sin_to_cos);
  reader.read("freq_shift", config.freq_shift);
  for (const auto& [key, value] : {std::pair{"addition_time_embed_dim", &config.addition_time_embed_dim},
                                   {"projection_class_embeddings_input_dim", &config.projection_class_embeddings_input_dim}}) {
    reader.require(key, "an integer");
    reader.read_size(key, *value);
  }
  read_blocks(reader, config);
  for (const auto& block : config.blocks)
    reader.check(block.channels % config.norm_num_groups == 0, "norm_num_groups", "a divisor of block_out_channels {}",
                 block.channels);
  check_embeddings(reader, config);
  return config;
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
