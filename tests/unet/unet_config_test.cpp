#include <gtest/gtest.h>

#include "base/json.h"
#include "base/temporary_folder.h"
#include "golden_file.h"
#include "unet/unet.h"

namespace negativa {
namespace {

// The published configs of SDXL base 1.0 and refiner 1.0, what matters of them (sdxl.md 3.1).
Json sdxl_base() {
  return {{"_class_name", "UNet2DConditionModel"},
          {"act_fn", "silu"},
          {"addition_embed_type", "text_time"},
          {"addition_time_embed_dim", 256},
          {"attention_head_dim", {5, 10, 20}},
          {"block_out_channels", {320, 640, 1280}},
          {"cross_attention_dim", 2048},
          {"down_block_types", {"DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"}},
          {"up_block_types", {"CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"}},
          {"layers_per_block", 2},
          {"norm_num_groups", 32},
          {"projection_class_embeddings_input_dim", 2816},
          {"sample_size", 128},
          {"transformer_layers_per_block", {1, 2, 10}},
          {"upcast_attention", nullptr},
          {"use_linear_projection", true}};
}
Json sdxl_refiner() {
  Json config = sdxl_base();
  config.update({{"attention_head_dim", {6, 12, 24, 24}},
                 {"block_out_channels", {384, 768, 1536, 1536}},
                 {"cross_attention_dim", 1280},
                 {"down_block_types", {"DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"}},
                 {"up_block_types", {"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"}},
                 {"projection_class_embeddings_input_dim", 2560},
                 {"transformer_layers_per_block", 4}});
  return config;
}

nn::Walk walk_of(const Json& config) {
  static std::vector<std::unique_ptr<UNet>> kept;  // a walk points into its module
  kept.push_back(std::make_unique<UNet>(UNetConfig::from_json(config.dump(), "unet")));
  return nn::walk(*kept.back());
}

TEST(UNetConfig, FullSizeBaseHasItsTensorsParametersAndTransformerBlocks) {
  const auto walk = walk_of(sdxl_base());
  EXPECT_EQ(walk.slots.size(), 1680u);
  EXPECT_EQ(nn::parameter_count(walk), 2'567'463'684);
  EXPECT_EQ(
      std::count_if(walk.linears.begin(), walk.linears.end(), [](const auto& l) { return l.first.ends_with("attn1.to_q"); }), 70);
}

TEST(UNetConfig, FullSizeRefinerHasItsTensorsAndParameters) {
  const auto walk = walk_of(sdxl_refiner());
  EXPECT_EQ(walk.slots.size(), 1220u);
  EXPECT_EQ(nn::parameter_count(walk), 2'259'526'660);
}

TEST(UNetConfig, AttentionHeadDimIsTheNumberOfHeads) {
  const auto config = UNetConfig::from_json(sdxl_refiner().dump(), "unet");
  for (const auto& block : config.blocks) EXPECT_EQ(block.channels / block.num_attention_heads, 64);
}

TEST(UNetConfig, RefusesOtherArchitecturesNamingTheEntry) {
  const std::pair<const char*, Json> wrong[] = {
      {"addition_embed_type", nullptr},   {"use_linear_projection", false}, {"class_embed_type", "timestep"},
      {"block_out_channels", {320, 640}}, {"attention_head_dim", {5, 10}},  {"norm_num_groups", 7},
      {"cross_attention_dim", 0},         {"sample_size", "large"},         {"attention_head_dim", {3, 10, 20}}};
  for (const auto& [key, value] : wrong) {
    Json config = sdxl_base();
    config[key] = value;
    try {
      UNetConfig::from_json(config.dump(), "unet/config.json");
      ADD_FAILURE() << key << " = " << value << " was taken";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::file_format);
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    }
  }
}

std::string message_of(const Json& config, void (UNetConfig::*more)(std::string_view) const = nullptr) {
  try {
    const auto read = UNetConfig::from_json(config.dump(), "unet/config.json");
    if (more) (read.*more)("m");
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
    return e.what();
  }
  return "taken";
}

TEST(UNetConfig, TakesTheBlocksOfSmallerSdxls) {
  const auto read = [](Json changes) {
    Json config = sdxl_base();
    config.update(changes);
    return UNetConfig::from_json(config.dump(), "c");
  };
  using Depths = std::vector<int64_t>;
  // segmind/SSD-1B, segmind/Segmind-Vega and etri-vilab/koala-700m: unet/config.json
  const auto ssd = read({{"mid_block_type", "UNetMidBlock2D"},
                         {"transformer_layers_per_block", {1, {2, 2}, {4, 4}}},
                         {"reverse_transformer_layers_per_block", {{4, 4, 10}, {2, 1, 1}, 1}}});
  EXPECT_EQ(ssd.middle, UNetConfig::Middle::resnet);
  EXPECT_EQ(ssd.blocks[0].down_depths, Depths());
  EXPECT_EQ(ssd.blocks[1].down_depths, Depths({2, 2}));
  EXPECT_EQ(ssd.blocks[1].up_depths, Depths({2, 1, 1}));
  EXPECT_EQ(ssd.blocks[2].up_depths, Depths({4, 4, 10}));
  const auto vega = read({{"mid_block_type", "UNetMidBlock2D"}, {"transformer_layers_per_block", {1, 1, 2}}});
  EXPECT_EQ(vega.blocks[2].up_depths, Depths({2, 2, 2}));
  const auto koala = read({{"mid_block_type", nullptr}, {"transformer_layers_per_block", {1, 2, 5}}, {"layers_per_block", 1}});
  EXPECT_EQ(koala.middle, UNetConfig::Middle::none);
  EXPECT_EQ(koala.blocks[2].up_depths, Depths({5, 5}));
  EXPECT_EQ(read(Json::object()).middle_depth, 10);

  const auto refusal = [&](Json changes) { return error_of(ErrorKind::file_format, [&] { read(changes); }); };
  EXPECT_NE(refusal({{"transformer_layers_per_block", {1, {2, 2}, {10, 10}}}}).find("\"reverse_transformer_layers_per_block\""),
            std::string::npos)
      << "as diffusers asks for";
  EXPECT_NE(
      refusal({{"reverse_transformer_layers_per_block", {{4, 4}, 2, 1}}}).find("expected 3 numbers for block 0, one a resnet"),
      std::string::npos);
  EXPECT_NE(refusal({{"transformer_layers_per_block", {1, 2, "x"}}}).find("expected integers from 0 to 1000"), std::string::npos);
  EXPECT_NE(refusal({{"mid_block_type", "UNetMidBlock2DSimpleCrossAttn"}}).find("expected UNetMidBlock2DCrossAttn"),
            std::string::npos);
}

TEST(UNetConfig, SaysWhatAUNetIsThatCannotBeDrawnWith) {
  const auto with = [](Json changes) {
    Json config = sdxl_base();
    config.update(changes);
    return config;
  };
  const auto from_text = &UNetConfig::check_draws_from_text;
  EXPECT_EQ(message_of(with({{"in_channels", 9}}), from_text),
            "[m] is an inpainting model: its UNet takes a mask and the masked picture beside the latents, and has 9 channels "
            "where 4 are "
            "given; only text to image is built: give a plain SDXL model");
  EXPECT_NE(
      message_of(with({{"in_channels", 8}}), from_text).find("is a model that edits pictures (InstructPix2Pix, CosXL Edit)"),
      std::string::npos);
  EXPECT_NE(message_of(with({{"in_channels", 5}}), from_text).find("has 5 channels where 4 are given"), std::string::npos);
  EXPECT_EQ(message_of(with({{"in_channels", 9}})), "taken") << "its layers take LoRAs all the same";

  EXPECT_EQ(UNetConfig::from_json(with({{"sample_size", {96, 96}}}).dump(), "c").sample_size, 96);
  EXPECT_EQ(
      message_of(with({{"sample_size", {96, 128}}})),
      "[unet/config.json] \"sample_size\": got [96,128], expected one number or twice the same; write the shorter side there and "
      "choose sizes with -W and -H");
  EXPECT_EQ(message_of(with({{"sample_size", "large"}})),
            "[unet/config.json] \"sample_size\": got \"large\", expected an integer");
  std::string text = sdxl_base().dump();
  text.insert(1, "\"norm_eps\":Infinity,");
  EXPECT_THROW(UNetConfig::from_json(text, "c"), Error);
}

}  // namespace
}  // namespace negativa
