#include "io/model_config.h"

#include <algorithm>

#include "base/json.h"
#include "io/keys/sgm_vae.h"
#include "io/keys/unet_layout.h"

namespace negativa {

namespace {
constexpr int64_t head_width = 64;

std::vector<std::string> names_of(const Weights& weights) {
  std::vector<std::string> names;
  for (const auto& [name, source] : weights) names.push_back(name);
  return names;  // sorted, as the map is
}

int64_t size_of(const Weights& weights, const std::string& name, size_t axis) {
  const auto found = weights.find(name);
  check(found != weights.end(), ErrorKind::file_format, "[configuration from shapes] the file has no {}", name);
  const auto shape = found->second.shape();
  check(axis < shape.size(), ErrorKind::file_format, "[configuration from shapes] {} has shape {}, expected at least {} axes",
        name, to_string(shape), axis + 1);
  return shape[axis];
}

int count(const std::vector<std::string>& names, const std::string& list) {
  int n = 0;
  while (has_module(names, fmt::format("{}.{}", list, n))) ++n;
  return n;
}

// Depths of a block's transformers.
using Depths = std::vector<int>;

std::vector<Depths> depths_of(const std::vector<std::string>& names, const std::string& blocks,
                              const std::vector<UNetLayout::Block>& layout) {
  std::vector<Depths> result(layout.size());
  for (size_t i = 0; i < layout.size(); ++i)
    for (size_t j = 0; j < layout[i].attention.size(); ++j)
      if (layout[i].attention[j])
        result[i].push_back(count(names, fmt::format("{}.{}.attentions.{}.transformer_blocks", blocks, i, j)));
  return result;
}

bool has_attention(const Depths& depths) {
  return std::any_of(depths.begin(), depths.end(), [](int depth) { return depth > 0; });
}

// One number where all of a block agree, 1 for a block without attention.
Json block_depth(const Depths& depths) {
  if (!has_attention(depths)) return 1;
  return std::equal(depths.begin() + 1, depths.end(), depths.begin()) ? Json(depths.front()) : Json(depths);
}

// One number where all blocks that have attention agree.
Json depth_json(const std::vector<Depths>& blocks) {
  Json all = Json::array();
  std::vector<Json> used;
  for (const auto& depths : blocks) {
    all.push_back(block_depth(depths));
    if (has_attention(depths)) used.push_back(all.back());
  }
  const bool agree = !used.empty() && std::equal(used.begin() + 1, used.end(), used.begin()) && used[0].is_number();
  return agree ? used[0] : all;
}

// diffusers mirrors the way down where no other depths are given.
bool is_mirrored(const std::vector<Depths>& down, const std::vector<Depths>& up) {
  for (size_t i = 0; i < up.size() && i < down.size(); ++i) {
    const auto& mirror = down[down.size() - 1 - i];
    if (has_attention(up[i]) && block_depth(up[i]) != block_depth(mirror)) return false;
  }
  return std::none_of(down.begin(), down.end(), [](const Depths& depths) { return block_depth(depths).is_array(); });
}

Json middle_type(const std::vector<std::string>& names) {
  if (has_module(names, "mid_block.attentions.0")) return "UNetMidBlock2DCrossAttn";
  return has_module(names, "mid_block.resnets.0") ? Json("UNetMidBlock2D") : Json();
}

std::vector<std::string> block_types(const std::vector<UNetLayout::Block>& blocks, const char* direction) {
  std::vector<std::string> types;
  for (const auto& block : blocks) {
    const bool attention = std::find(block.attention.begin(), block.attention.end(), true) != block.attention.end();
    types.push_back(fmt::format("{}{}Block2D", attention ? "CrossAttn" : "", direction));
  }
  return types;
}

// Width of the first cross attention's context, whichever block has it.
int64_t context_width(const Weights& weights) {
  for (const auto& [name, source] : weights)
    if (name.ends_with(".attn2.to_k.weight")) return size_of(weights, name, 1);
  fail(ErrorKind::file_format,
       "[configuration from shapes] the UNet has no cross attention, expected some; is it an SDXL model?");
}
}  // namespace

std::string unet_config_json(const Weights& weights) {
  const auto names = names_of(weights);
  const auto layout = unet_layout(names);
  check(!layout.down.empty(), ErrorKind::file_format, "[configuration from shapes] the UNet has no down_blocks");
  std::vector<int64_t> channels, heads;
  for (size_t i = 0; i < layout.down.size(); ++i) {
    channels.push_back(size_of(weights, fmt::format("down_blocks.{}.resnets.0.conv1.weight", i), 0));
    heads.push_back(channels.back() / head_width);
  }
  auto down = depths_of(names, "down_blocks", layout.down);
  const auto up = depths_of(names, "up_blocks", layout.up);
  const int mid = count(names, "mid_block.attentions.0.transformer_blocks");
  if (!has_attention(down.back())) down.back() = {mid};  // the mid block takes the last entry
  Json config = {
      {"_class_name", "UNet2DConditionModel"},
      {"in_channels", size_of(weights, "conv_in.weight", 1)},
      {"out_channels", size_of(weights, "conv_out.weight", 0)},
      {"block_out_channels", channels},
      {"down_block_types", block_types(layout.down, "Down")},
      {"up_block_types", block_types(layout.up, "Up")},
      {"mid_block_type", middle_type(names)},
      {"layers_per_block", layout.down[0].attention.size()},
      {"transformer_layers_per_block", depth_json(down)},
      {"attention_head_dim", heads},
      {"cross_attention_dim", context_width(weights)},
      {"use_linear_projection", true},
      {"addition_embed_type", "text_time"},
      {"addition_time_embed_dim", 256},
      {"projection_class_embeddings_input_dim", size_of(weights, "add_embedding.linear_1.weight", 1)},
      {"norm_num_groups", 32},
      {"norm_eps", 1e-5},
      {"act_fn", "silu"},
      {"flip_sin_to_cos", true},
      {"freq_shift", 0},
      {"sample_size", 128},
  };
  if (!is_mirrored(down, up)) config["reverse_transformer_layers_per_block"] = depth_json(up);  // SSD-1B
  return config.dump();
}

std::string vae_config_json(const Weights& weights, const PredictionMarks& marks) {
  const auto names = names_of(weights);
  const auto layout = vae_layout(names);
  const auto levels = layout.encoder_resnets.size();
  check(levels > 0 && layout.encoder_resnets[0] > 0, ErrorKind::file_format,
        "[configuration from shapes] the VAE has no encoder");
  std::vector<int64_t> channels;
  for (size_t i = 0; i < levels; ++i)
    channels.push_back(size_of(weights, fmt::format("encoder.down_blocks.{}.resnets.0.conv1.weight", i), 0));
  Json config = {
      {"_class_name", "AutoencoderKL"},
      {"in_channels", size_of(weights, "encoder.conv_in.weight", 1)},
      {"out_channels", size_of(weights, "decoder.conv_out.weight", 0)},
      {"latent_channels", size_of(weights, "decoder.conv_in.weight", 1)},
      {"block_out_channels", channels},
      {"down_block_types", std::vector<std::string>(levels, "DownEncoderBlock2D")},
      {"up_block_types", std::vector<std::string>(levels, "UpDecoderBlock2D")},
      {"layers_per_block", layout.encoder_resnets[0]},
      {"mid_block_add_attention", has_module(names, "decoder.mid_block.attentions.0")},
      {"use_quant_conv", has_module(names, "quant_conv")},
      {"use_post_quant_conv", has_module(names, "post_quant_conv")},
      {"norm_num_groups", 32},
      {"act_fn", "silu"},
      {"sample_size", 1024},
      {"scaling_factor", 0.13025},
      {"force_upcast", true},
  };
  if (!marks.latents_mean
           .empty())  // of Playground 2.5; huggingface/diffusers single_file_utils.py, PLAYGROUND_VAE_SCALING_FACTOR
    config.update(Json{{"latents_mean", marks.latents_mean}, {"latents_std", marks.latents_std}, {"scaling_factor", 0.5}});
  return config.dump();
}

std::string text_config_json(const std::string& part, const Weights& weights) {
  const bool is_second = part == "text_encoder_2";
  const auto width = size_of(weights, "text_model.embeddings.token_embedding.weight", 1);
  Json config = {
      {"architectures", {is_second ? "CLIPTextModelWithProjection" : "CLIPTextModel"}},
      {"model_type", "clip_text_model"},
      {"vocab_size", size_of(weights, "text_model.embeddings.token_embedding.weight", 0)},
      {"max_position_embeddings", size_of(weights, "text_model.embeddings.position_embedding.weight", 0)},
      {"hidden_size", width},
      {"intermediate_size", size_of(weights, "text_model.encoder.layers.0.mlp.fc1.weight", 0)},
      {"num_hidden_layers", count(names_of(weights), "text_model.encoder.layers")},
      {"num_attention_heads", width / head_width},
      {"hidden_act", is_second ? "gelu" : "quick_gelu"},
      {"layer_norm_eps", 1e-5},
      {"bos_token_id", 0},
      {"eos_token_id", 2},
      {"pad_token_id", 1},
  };
  config["projection_dim"] = is_second ? size_of(weights, "text_projection.weight", 0) : width;
  return config.dump();
}

std::string model_index_json(bool is_refiner) {
  const auto component = [](bool present, const char* library, const char* name) {
    return present ? Json{library, name} : Json{nullptr, nullptr};
  };
  Json index = {
      {"_class_name", is_refiner ? "StableDiffusionXLImg2ImgPipeline" : "StableDiffusionXLPipeline"},
      {"force_zeros_for_empty_prompt", !is_refiner},
      {"add_watermarker", nullptr},
      {"scheduler", component(true, "diffusers", "EulerDiscreteScheduler")},
      {"text_encoder", component(!is_refiner, "transformers", "CLIPTextModel")},
      {"text_encoder_2", component(true, "transformers", "CLIPTextModelWithProjection")},
      {"tokenizer", component(!is_refiner, "transformers", "CLIPTokenizer")},
      {"tokenizer_2", component(true, "transformers", "CLIPTokenizer")},
      {"unet", component(true, "diffusers", "UNet2DConditionModel")},
      {"vae", component(true, "diffusers", "AutoencoderKL")},
  };
  if (is_refiner) index["requires_aesthetics_score"] = true;
  return index.dump();
}

}  // namespace negativa
