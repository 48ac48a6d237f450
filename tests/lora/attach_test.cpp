#include "lora/attach.h"

#include <gtest/gtest.h>

#include "lora/merge_weights.h"
#include "nn/layers.h"
#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

const std::string layer = "mid_block.attentions.0.transformer_blocks.1.attn2.to_k";

std::shared_ptr<const LoraFile> lora_file() {
  LoraFile file;
  file.modules = small_lora();
  return std::make_shared<LoraFile>(std::move(file));
}

nn::Linear linear_of(const LoraModule& module, uint64_t seed) {
  nn::Linear linear(module.down.size(1), module.up.size(0), false);
  linear.weight = Generator(seed).randn({linear.out_features, linear.in_features});
  linear.name = layer;
  return linear;
}

std::vector<float> row_scale(const std::vector<ActiveLora>& loras) { return unet_adapters(loras).at(layer).at(0).row_scale; }

}  // namespace

TEST(Attach, ScalesRowsByWeightAlphaAndRank) {
  const auto file = lora_file();  // rank 3, alpha 1.5
  EXPECT_EQ(row_scale({{file, 0.8, LoraBranch::both}}), (std::vector<float>{0.4f, 0.4f}));
  EXPECT_EQ(row_scale({{file, 0.8, LoraBranch::negative}}), (std::vector<float>{0.4f, 0.f}));
  EXPECT_EQ(row_scale({{file, -2, LoraBranch::positive}}), (std::vector<float>{0.f, -1.f}));
}

TEST(Attach, LeavesTheUnconditionalRowAloneWhereTheNegativePromptHasItsOwnOrNone) {
  const auto file = lora_file();
  const auto rows = [&](LoraBranch branch, NegativeRow negative) {
    const auto terms = unet_adapters({{file, 0.8, branch}}, negative).at(layer);
    return terms.empty() ? std::vector<float>() : terms.front().row_scale;
  };
  EXPECT_EQ(rows(LoraBranch::both, NegativeRow::own), (std::vector<float>{0.f, 0.4f, 0.4f}));
  EXPECT_EQ(rows(LoraBranch::negative, NegativeRow::own), (std::vector<float>{0.f, 0.f, 0.4f}));
  EXPECT_EQ(rows(LoraBranch::positive, NegativeRow::own), (std::vector<float>{0.f, 0.4f, 0.f}));
  EXPECT_EQ(rows(LoraBranch::both, NegativeRow::none), (std::vector<float>{0.f, 0.4f}));
  EXPECT_EQ(rows(LoraBranch::negative, NegativeRow::none), std::vector<float>());
}

TEST(Attach, LeavesTermsOfScaleZeroOutSoThatNothingChanges) {
  EXPECT_TRUE(unet_adapters({{lora_file(), 0, LoraBranch::both}}).empty());
  EXPECT_TRUE(text_adapters({{lora_file(), 0, LoraBranch::both}}, "text_encoder", LoraBranch::negative).empty());
}

TEST(Attach, KeepsOneTermForEachLoraOfALayer) {
  const auto file = lora_file();
  const auto adapters =
      unet_adapters({{file, 1, LoraBranch::both}, {file, 0, LoraBranch::both}, {file, 3, LoraBranch::negative}});
  ASSERT_EQ(adapters.at(layer).size(), 2u);
  EXPECT_EQ(adapters.at(layer)[1].row_scale, (std::vector<float>{1.5f, 0.f}));
  EXPECT_EQ(adapters.layers().size(), file->modules.at("unet").size());
}

TEST(Attach, TextEncoderPartActsOnThePromptOfItsBranch) {
  const auto file = lora_file();
  const std::string name = "text_model.encoder.layers.1.self_attn.v_proj";
  const std::vector<ActiveLora> loras = {{file, 2, LoraBranch::negative}};
  EXPECT_EQ(text_adapters(loras, "text_encoder_2", LoraBranch::negative).at(name).at(0).row_scale, (std::vector<float>{1.f}));
  EXPECT_TRUE(text_adapters(loras, "text_encoder_2", LoraBranch::positive).empty());
  EXPECT_TRUE(
      text_adapters(loras, "text_encoder_2", LoraBranch::negative).at("text_model.encoder.layers.0.self_attn.q_proj").empty());
}

TEST(Attach, EqualsMergingTheDeltaIntoTheWeight) {
  const auto file = lora_file();
  const auto& module = file->modules.at("unet").at(layer);
  const auto linear = linear_of(module, 3);
  const Tensor x = Generator(4).randn({2, 5, linear.in_features});
  auto merged = linear;
  merged.weight = linear.weight + delta(module, -0.7);
  const Tensor attached = linear.forward(x, unet_adapters({{file, -0.7, LoraBranch::both}}));
  EXPECT_TRUE(at::allclose(attached, merged.forward(x), 1e-4, 1e-4));
  EXPECT_FALSE(at::allclose(attached, linear.forward(x), 1e-1, 1e-1));
}

TEST(Attach, LeavesTheRowOfTheOtherBranchBitEqual) {
  const auto file = lora_file();
  const auto linear = linear_of(file->modules.at("unet").at(layer), 3);
  const Tensor x = Generator(4).randn({2, 5, linear.in_features});
  const Tensor plain = linear.forward(x), attached = linear.forward(x, unet_adapters({{file, 1, LoraBranch::negative}}));
  EXPECT_TRUE(at::equal(attached[1], plain[1]));
  EXPECT_FALSE(at::equal(attached[0], plain[0]));
}

TEST(Delta, IsScaleTimesUpTimesDown) {
  const LoraModule module{at::tensor({1.f, 2.f}).reshape({1, 2}), at::tensor({3.f, 5.f}).reshape({2, 1}), 0.5};
  EXPECT_TRUE(at::equal(delta(module, 2), at::tensor({3.f, 6.f, 5.f, 10.f}).reshape({2, 2})));
}

TEST(Delta, NormFromSmallMatricesIsTheNormOfTheMatrix) {
  const auto lora = small_lora();
  for (const auto& [name, module] : lora.at("unet"))
    EXPECT_NEAR(delta_norm(module), delta(module).norm().item<double>(), 1e-4 * delta_norm(module)) << name;
}

}  // namespace negativa
