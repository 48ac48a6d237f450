// A LoRA on one layer draws what the model with that LoRA baked in draws, for every linear layer that a model of SDXL's kind has.
#include "lora/merge_weights.h"
#include "narrow_model.h"
#include "nn/layers.h"

namespace negativa {
namespace {

class AttachedLora : public test::TwoModels {
 protected:
  void expect_of(const std::string& component, const std::string& name, nn::Linear& linear, bool is_read) {
    const Tensor weight = linear.weight, packed = linear.packed;
    Generator generator(linear.in_features);
    LoraModule module{generator.randn({2, linear.in_features}), generator.randn({linear.out_features, 2}), 1};
    module.alpha = 2 * weight.norm().item<double>() / delta(module).norm().item<double>();
    auto file = std::make_shared<LoraFile>();
    file->modules[component][name] = module;
    linear.weight = weight + delta(module);
    if (packed.defined()) linear.packed = nn::cpu::pack_linear(linear.weight);
    expect_as_baked(file, is_read, component + " " + name);
    linear.weight = weight;
    linear.packed = packed;
  }

  // How many layers that were.
  size_t expect_all_as_baked(const std::string& component) {
    const auto linears = baked.walk(component).linears;
    for (const auto& [name, linear] : linears)
      expect_of(component, name, *linear, component != "text_encoder" || !name.starts_with("text_model.encoder.layers.1."));
    return linears.size();
  }
};

TEST_F(AttachedLora, OnALayerOfTheUNetDrawsWhatBakingDoes) { EXPECT_EQ(expect_all_as_baked("unet"), 7u * 12 + 11 + 4); }
// The context of the UNet is the output of the last layer but one, and the pooled vector comes from the second encoder.
TEST_F(AttachedLora, OnALayerOfATextEncoderDrawsWhatBakingDoesButForTheFirstOnesLastThatNoPictureReads) {
  EXPECT_EQ(expect_all_as_baked("text_encoder"), 12u);
  EXPECT_EQ(expect_all_as_baked("text_encoder_2"), 13u);
}

}  // namespace
}  // namespace negativa
