#include "unet/layers.h"

#include <gtest/gtest.h>

#include "golden_file.h"
#include "unet/unet.h"

namespace negativa {
namespace {

using Kind = UNetLayer::Kind;

std::vector<UNetConfig> configs() {
  std::vector<UNetConfig> read;
  for (const char* name : {"emoji-xl/unet", "emoji-xl/refiner/unet", "sdxl-layers/unet"})
    read.push_back(UNetConfig::from_json(read_file(test::source_folder() / "models" / name / "config.json"), name));
  return read;
}

TEST(UNetLayers, EachReadsWhatTheOneBeforeAndItsSkipGive) {
  for (const auto& config : configs()) {
    std::vector<UNetLayer> skips;
    int64_t channels = config.in_channels;
    size_t level = 0;
    for (const auto& layer : layers_of(config)) {
      int64_t given = channels;
      if (layer.skip_channels > 0) {
        ASSERT_FALSE(skips.empty());
        EXPECT_EQ(skips.back().out_channels, layer.skip_channels);
        EXPECT_EQ(skips.back().level, layer.level);
        given += layer.skip_channels;
        skips.pop_back();
      }
      EXPECT_EQ(layer.in_channels, given);
      EXPECT_EQ(layer.level, layer.kind == Kind::downsample ? level + 1 : layer.kind == Kind::upsample ? level - 1 : level);
      channels = layer.out_channels;
      level = layer.level;
      if (layer.is_skip) skips.push_back(layer);
    }
    EXPECT_TRUE(skips.empty());
    EXPECT_EQ(channels, config.out_channels);
    EXPECT_EQ(level, 0u);
  }
}

TEST(UNetLayers, AreThoseThatAUNetHas) {
  for (const auto& config : configs()) {
    UNet unet(config);
    std::map<std::string, int64_t> built, listed;
    for (const auto& slot : nn::walk(unet).slots)
      for (const char* last : {"conv2.weight", "proj_out.weight", "downsamplers.0.conv.weight", "upsamplers.0.conv.weight"})
        if (slot.name.ends_with(last)) ++built[last];
    for (const auto& layer : layers_of(config)) {
      if (layer.kind == Kind::resnet) ++listed["conv2.weight"];
      if (layer.kind == Kind::transformer) ++listed["proj_out.weight"];
      if (layer.kind == Kind::downsample) ++listed["downsamplers.0.conv.weight"];
      if (layer.kind == Kind::upsample) ++listed["upsamplers.0.conv.weight"];
    }
    EXPECT_EQ(built, listed);
  }
}

TEST(UNetLayers, HaveTheSidesThatDownsamplingGives) {
  const nn::Conv2d conv(1, 1, 3, 2, 1);
  for (int64_t side = 1; side <= 40; ++side) {
    at::Tensor x = at::zeros({1, 1, side, side});
    for (size_t level = 0; level < 4; ++level) {
      EXPECT_EQ(side_at(side, level), x.size(2)) << side;
      x = at::conv2d(x, at::zeros({1, 1, 3, 3}), {}, conv.stride, conv.padding);
    }
  }
}

}  // namespace
}  // namespace negativa
