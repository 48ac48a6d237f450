// A LoRA on one layer draws what the model with that LoRA baked in draws, for every linear layer there is.
#include <gtest/gtest.h>

#include "golden_file.h"
#include "lora/attach.h"
#include "lora/merge_weights.h"
#include "pipeline/stages.h"

namespace negativa {
namespace {

using test::relative_error;

ModelRequest bundled() {
  ModelRequest request;
  request.model = test::bundled_model();
  return request;
}

Plan small_plan(const Models& models) {
  Plan plan;
  plan.prompt = plan.prompt_2 = "a big lion";
  plan.negative_prompt = "wrong";
  plan.height_px = plan.width_px = 8 * models.vae_config().factor();
  plan.original_size = plan.target_size = {plan.height_px, plan.width_px};
  plan.steps = 2;
  plan.guidance_scale = 5;
  plan.sampler = "euler";
  plan.grid = "leading";
  return plan;
}

std::shared_ptr<const PictureAdapters> attached(const std::shared_ptr<const LoraFile>& file, LoraBranch branch) {
  const std::vector<ActiveLora> loras{{file, 1, branch}};
  auto adapters = std::make_shared<PictureAdapters>();
  adapters->unet = unet_adapters(loras);
  const char* components[] = {"text_encoder", "text_encoder_2"};
  for (int i = 0; i < 2; ++i) {
    adapters->negative_text[i] = text_adapters(loras, components[i], LoraBranch::negative);
    adapters->positive_text[i] = text_adapters(loras, components[i], LoraBranch::positive);
  }
  return adapters;
}

struct Layer {
  std::string component, name;
  nn::Linear* linear;
};

// Two copies of the bundled model. One stays as it is; of the other, one layer at a time is changed as baking changes it.
class AttachedLora : public ::testing::Test {
 protected:
  const c10::InferenceMode inference;
  Models plain{bundled()}, baked{bundled()};
  Plan plan = small_plan(plain);
  Tensor nothing;  // latents without a LoRA
  std::vector<Layer> layers;

  AttachedLora() {
    set_threads(1);
    nothing = latents(plain, plan);
    const auto add = [&](const std::string& component, auto& model) {
      for (const auto& [name, linear] : nn::walk(model).linears) layers.push_back({component, name, linear});
    };
    add("unet", const_cast<UNet&>(baked.unet()));
    auto& text = const_cast<TextModels&>(baked.text());
    add("text_encoder", text.first->model);
    add("text_encoder_2", text.second.model);
  }

  static Drawing begun(Models& models, const Plan& plan) {
    Drawing drawing = begin_drawing(models, plan);
    EncodedTexts known;
    encode_for_base(models, drawing, known, {});
    draw_noise(models, drawing);
    return drawing;
  }

  // As the program draws them.
  static Tensor latents(Models& models, const Plan& plan) {
    Drawing drawing = begun(models, plan);
    denoise_with_base(models, drawing, {});
    return drawing.latents;
  }

  static PreparedCondition prepared(const UNet& unet, const Conditioning& text, const Plan& plan) {
    const Tensor ids = time_ids({plan.original_size, plan.crop_top_left, plan.target_size});
    return unet.prepare({at::cat({text.negative.prompt_embeds, text.positive.prompt_embeds}),
                         at::cat({text.negative.pooled_prompt_embeds, text.positive.pooled_prompt_embeds}), at::stack({ids, ids})});
  }

  // As they would be if each branch had a model of its own.
  static Tensor latents(Models& negative, Models& positive, const Plan& plan) {
    if (&negative == &positive) return latents(positive, plan);
    const Drawing other = begun(negative, plan);
    Drawing drawing = begun(positive, plan);
    const auto of_negative = prepared(negative.unet(), other.text, plan).row(0), of_positive = prepared(positive.unet(), drawing.text, plan).row(1);
    const auto& [sampler, grid, split] = drawing.course;
    SamplerState state;
    for (int64_t i = 0; i < grid.steps(); ++i) {
      const Tensor input = sampler->scale_model_input(i, grid, drawing.latents);
      const Tensor uncond = negative.unet().forward(input, grid.timesteps[i], of_negative), text = positive.unet().forward(input, grid.timesteps[i], of_positive);
      drawing.latents = sampler->step({i, grid, guide(uncond, text, static_cast<float>(plan.guidance_scale), 0), drawing.latents}, drawing.generator, state);
    }
    return drawing.latents;
  }

  void expect_as_baked(const Layer& layer, bool is_read) {
    auto& linear = *layer.linear;
    const Tensor weight = linear.weight, packed = linear.packed;
    auto file = std::make_shared<LoraFile>();
    Generator generator(layers.size() + linear.in_features);
    LoraModule module{generator.randn({2, linear.in_features}), generator.randn({linear.out_features, 2}), 1};
    module.alpha = weight.norm().item<double>() / delta(module).norm().item<double>();  // as much again as the layer itself
    file->modules[layer.component][layer.name] = module;

    linear.weight = weight + delta(module);
    if (packed.defined()) linear.packed = nn::cpu::pack_linear(linear.weight);
    for (const auto branch : {LoraBranch::both, LoraBranch::negative, LoraBranch::positive}) {
      Plan with_lora = plan;
      with_lora.adapters = attached(file, branch);
      const Tensor got = latents(plain, with_lora);
      const Tensor expected = latents(branch == LoraBranch::positive ? plain : baked, branch == LoraBranch::negative ? plain : baked, plan);
      const std::string where = layer.component + " " + layer.name + ", branch " + branch_name(branch);
      EXPECT_LT(relative_error(got, expected), 1e-4) << where;
      if (is_read) EXPECT_GT(relative_error(got, nothing), 1e-3) << where << " does nothing";
      else EXPECT_TRUE(at::equal(got, nothing)) << where << " does something";
    }
    linear.weight = weight;
    linear.packed = packed;
  }

  // Every n-th layer of a component from the i-th on; how many that were.
  int expect_all_as_baked(const std::string& component, size_t i = 0, size_t n = 1) {
    size_t position = 0;
    int walked = 0;
    for (const auto& layer : layers) {
      if (layer.component != component || position++ % n != i) continue;
      expect_as_baked(layer, !layer.name.starts_with("text_model.encoder.layers.2.") || component == "text_encoder_2");
      ++walked;
    }
    return walked;
  }
};

TEST_F(AttachedLora, OnALayerOfTheUNetDrawsWhatBakingDoesEvenLayers) { EXPECT_GT(expect_all_as_baked("unet", 0, 2), 90); }
TEST_F(AttachedLora, OnALayerOfTheUNetDrawsWhatBakingDoesOddLayers) { EXPECT_GT(expect_all_as_baked("unet", 1, 2), 90); }
// The context of the UNet is the output of the last layer but one, and the pooled vector comes from the second encoder.
TEST_F(AttachedLora, OnALayerOfATextEncoderDrawsWhatBakingDoesButForTheFirstOnesLastThatNoPictureReads) {
  EXPECT_EQ(expect_all_as_baked("text_encoder"), 18);
  EXPECT_EQ(expect_all_as_baked("text_encoder_2"), 19);
}

}  // namespace
}  // namespace negativa
