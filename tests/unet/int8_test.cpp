// Matrices and convolutions kept as int8 with a scale per output channel.
#include <gtest/gtest.h>

#include "core/generator.h"
#include "golden_file.h"
#include "unet/unet.h"

namespace negativa {
namespace {

using test::relative_error;

UNet load_unet(DType storage) {
  const ModelFiles files = open_model(test::bundled_model());
  UNet unet(UNetConfig::from_json(files.config_json("unet"), "unet"));
  nn::LoadOptions options;
  options.storage = storage;
  unet.load(files.weights("unet"), options);
  return unet;
}

Tensor dequantised(const Tensor& weight, const Tensor& scale) {
  Shape per_row(weight.dim(), 1);
  per_row[0] = -1;
  return weight.to(at::kFloat) * scale.view(per_row);
}

TEST(Int8Storage, RoundsAWeightByHalfAStepOfItsRowAtMost) {
  UNet stored = load_unet(at::kChar), exact = load_unet(at::kFloat);
  const auto slots = nn::walk(stored).slots, exact_slots = nn::walk(exact).slots;
  int quantised = 0;
  for (size_t i = 0; i < slots.size(); ++i) {
    if (!slots[i].scale || !slots[i].scale->defined()) continue;
    ++quantised;
    ASSERT_EQ(slots[i].tensor->scalar_type(), at::kChar) << slots[i].name;
    const Tensor off = (dequantised(*slots[i].tensor, *slots[i].scale) - *exact_slots[i].tensor).abs().flatten(1).amax(1);
    EXPECT_TRUE((off <= *slots[i].scale * 0.50001).all().item<bool>()) << slots[i].name;
  }
  EXPECT_GT(quantised, 100);
}

// Exact up to the order of fp32 sums.
TEST(Int8Storage, OfALinearLayerGivesTheProductWithItsDequantisedWeights) {
  const c10::InferenceMode inference;
  UNet unet = load_unet(at::kChar);
  Generator generator(1);
  for (const auto& [name, linear] : nn::walk(unet).linears) {
    const Tensor x = generator.randn({3, linear->in_features}), weight = dequantised(linear->weight, linear->weight_scale);
    const Tensor bias = linear->has_bias ? linear->bias.to(at::kFloat) : Tensor();
    EXPECT_LT(relative_error(linear->forward(x), at::linear(x, weight, bias)), 1e-6) << name;
  }
}

TEST(Int8Storage, OfAConvolutionGivesTheConvolutionWithItsDequantisedWeights) {
  const c10::InferenceMode inference;
  UNet unet = load_unet(at::kChar);
  Generator generator(1);
  for (const auto& [name, conv] : nn::walk(unet).convolutions) {
    const Tensor x = generator.randn({1, conv->in_channels, 4, 3}), weight = dequantised(conv->weight, conv->weight_scale);
    const Tensor expected =
        at::conv2d(x, weight, conv->bias.to(at::kFloat), {conv->stride, conv->stride}, {conv->padding, conv->padding});
    EXPECT_LT(relative_error(conv->forward(x), expected), 1e-6) << conv->in_channels << " to " << conv->out_channels;
  }
}

TEST(Int8Storage, OfTheUNetComesCloseAndTakesAThirdOfTheBytes) {
  const c10::InferenceMode inference;
  UNet unet = load_unet(at::kChar);
  const auto file = test::golden("unet_emoji");
  const UNetCondition condition{file->load("base.prompt_embeds"), file->load("base.pooled_prompt_embeds"),
                                file->load("base.add_time_ids")};
  const Tensor noise_pred =
      unet.forward(file->load("base.sample"), file->load("base.timestep").item<float>(), unet.prepare(condition));
  const double error = relative_error(noise_pred, file->load("base.noise_pred"));
  EXPECT_LT(error, 0.0167);  // twice what it is: 0.00833
  EXPECT_GT(error, 1e-5) << "weights were not quantised";
  int64_t bytes = 0;
  for (const auto& slot : nn::walk(unet).slots) bytes += slot.tensor->nbytes();
  EXPECT_LT(bytes, nn::parameter_count(nn::walk(unet)) * 4 / 3);
}

}  // namespace
}  // namespace negativa
