#include "pipeline/text_to_image.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "golden_file.h"
#include "lora/attach.h"
#include "lora/merge_weights.h"

namespace negativa {
namespace {

using test::golden;
using test::relative_error;

Models& bundled() {
  static Models models([] {
    ModelRequest request;
    request.model = test::bundled_model();
    request.refiner = test::bundled_model() / "refiner";
    return request;
  }());
  set_threads(1);
  return models;
}

Plan small_plan(const std::string& prompt, int64_t steps) {
  Plan plan;
  plan.prompt = plan.prompt_2 = prompt;
  plan.height_px = plan.width_px = bundled().facts().unet.sample_size * bundled().vae_config().factor();
  plan.original_size = plan.target_size = {plan.height_px, plan.width_px};
  plan.steps = steps;
  plan.guidance_scale = plan.refiner_guidance_scale = 5;
  plan.sampler = "euler";
  plan.grid = "leading";
  return plan;
}

SizePx pair_or(const Json& json, const char* key, SizePx otherwise) {
  const auto pair = get_or<std::vector<int64_t>>(json, key, {}, "case");
  return pair.empty() ? otherwise : SizePx{pair[0], pair[1]};
}

// Settings of a golden case as tools/goldens_model.py stores them.
Plan plan_of(const Json& json) {
  Plan plan = small_plan(json.at("prompt"), json.at("steps"));
  if (!json.at("negative_prompt").is_null()) plan.negative_prompt = json.at("negative_prompt").get<std::string>();
  plan.seed = json.at("seed");
  plan.guidance_scale = plan.refiner_guidance_scale = json.at("cfg_scale");
  plan.guidance_rescale = json.at("guidance_rescale");
  plan.sampler = json.at("sampler");
  plan.grid = json.at("schedule");
  if (!json.at("refiner_start").is_null()) plan.refiner_start = json.at("refiner_start").get<double>();
  const SizePx size = pair_or(json, "size", {plan.height_px, plan.width_px});
  plan.height_px = size.height;
  plan.width_px = size.width;
  plan.original_size = pair_or(json, "original_size", size);
  plan.target_size = pair_or(json, "target_size", size);
  plan.crop_top_left = pair_or(json, "crop_top_left", {0, 0});
  return plan;
}

// StableDiffusionXLPipeline and …Img2ImgPipeline of diffusers 0.42.1, fp32, one thread, CPU generator: tools/goldens_model.py.
TEST(TextToImage, EveryTensorOfEveryRunEqualsDiffusers) {
  const auto file = golden("pipeline_emoji");
  const Json cases = parse_json(file->metadata().at("cases"), "cases");
  ASSERT_GE(cases.size(), 7u);
  for (const auto& [name, settings] : cases.items()) {
    const ImageResult result = text_to_image(bundled(), plan_of(settings), {});
    int compared = 0;
    for (const auto& entry : file->entries()) {
      if (!entry.name.starts_with(name + ".")) continue;
      const std::string tensor = entry.name.substr(name.size() + 1);
      const Tensor expected = file->load(entry), got = result.tensors.at(tensor);
      ++compared;
      if (expected.count_nonzero().item<int64_t>() == 0) EXPECT_EQ(got.count_nonzero().item<int64_t>(), 0) << entry.name;
      else EXPECT_LT(relative_error(got, expected), 1e-4) << entry.name;
    }
    EXPECT_GE(compared, 3) << name;
  }
}

TEST(TextToImage, AnAbsentNegativePromptIsZerosOnTheBaseAndAnEmptyOneIsNot) {
  Plan plan = small_plan("owl", 1);
  EXPECT_EQ(text_to_image(bundled(), plan, {}).tensors.at("negative_prompt_embeds").count_nonzero().item<int64_t>(), 0);
  plan.negative_prompt = "";
  EXPECT_GT(text_to_image(bundled(), plan, {}).tensors.at("negative_prompt_embeds").count_nonzero().item<int64_t>(), 0);
}

TEST(TextToImage, GuidanceOfOneOrLessRunsThePositivePromptAlone) {
  Plan plan = small_plan("owl", 3);
  plan.guidance_scale = 1;
  const Tensor one = text_to_image(bundled(), plan, {}).tensors.at("latents");
  plan.negative_prompt = "blurry";  // changes nothing: it is not run
  EXPECT_TRUE(at::equal(one, text_to_image(bundled(), plan, {}).tensors.at("latents")));
}

TEST(TextToImage, GuidanceOutsideItsIntervalEqualsNoGuidance) {
  Plan plan = small_plan("owl", 4);
  plan.guidance_interval = {0.0, 0.0};
  const Tensor never = text_to_image(bundled(), plan, {}).tensors.at("latents");
  plan.guidance_interval = {};
  plan.guidance_scale = 1;
  EXPECT_TRUE(at::equal(never, text_to_image(bundled(), plan, {}).tensors.at("latents")));
  plan.guidance_scale = 5;
  EXPECT_FALSE(at::equal(never, text_to_image(bundled(), plan, {}).tensors.at("latents")));
}

TEST(TextToImage, TheSamePlanGivesTheSameBytes) {
  Plan plan = small_plan("a big lion", 3);
  plan.sampler = "euler_ancestral";
  plan.refiner_start = 0.5;
  EXPECT_TRUE(at::equal(text_to_image(bundled(), plan, {}).image, text_to_image(bundled(), plan, {}).image));
}

TEST(TextToImage, StopsWithinAStepWhenCancelled) {
  CancelToken cancel;
  int steps = 0;
  RunHooks hooks;
  hooks.cancel = &cancel;
  hooks.on_step = [&] {
    if (++steps == 2) cancel.cancel();
  };
  EXPECT_THROW(text_to_image(bundled(), small_plan("owl", 50), hooks), Error);
  EXPECT_EQ(steps, 2);
}

// A UNet with the LoRA's product added to its weights: what attaching must equal.
UNet merged_unet(const std::vector<ActiveLora>& loras, bool for_inference) {
  UNet unet(bundled().facts().unet);
  nn::LoadOptions options;
  options.storage = at::kFloat;
  unet.load(bundled().files().weights("unet"), options);
  nn::Walk walk = nn::walk(unet);
  for (auto& [name, linear] : walk.linears)
    for (const auto& lora : loras) {
      const auto& modules = lora.file->modules.at("unet");
      if (const auto found = modules.find(name); found != modules.end()) linear->weight = linear->weight + delta(found->second, lora.weight);
    }
  if (for_inference) nn::lay_out(walk);
  return unet;
}

// Diffusion-NPO (arXiv:2505.11245): positive branch W + dpo, negative branch W + 0.6 dpo + npo. Its authors' pipeline holds two UNets.
TEST(TextToImage, BranchLorasOnOneUNetEqualTwoSeparatelyMergedUNets) {
  const c10::InferenceMode inference;
  LoraTargets targets = lora_targets(bundled().files());
  const auto file = std::make_shared<LoraFile>(read_lora(test::source_folder() / "tests/golden/lora_kohya.safetensors", targets));
  auto other = std::make_shared<LoraFile>(*file);
  for (auto& [name, module] : other->modules["unet"]) module.up = module.up.flip(0);
  const ActiveLora dpo{file, 1, LoraBranch::positive}, weak{file, 0.6, LoraBranch::negative}, npo{other, 1, LoraBranch::negative};
  const nn::Adapters adapters = unet_adapters({dpo, weak, npo});
  const auto golden_file = golden("unet_emoji");
  const auto input = [&](const char* name) { return golden_file->load(std::string("base.") + name); };
  const UNetCondition condition{input("prompt_embeds"), input("pooled_prompt_embeds"), input("add_time_ids")};
  const double timestep = input("timestep").item<float>();

  const UNet& unet = bundled().unet();
  const Tensor one = unet.forward(input("sample"), timestep, unet.prepare(condition, adapters), adapters);
  const UNet negative = merged_unet({weak, npo}, true), positive = merged_unet({dpo}, true);
  const Tensor plain = unet.forward(input("sample"), timestep, unet.prepare(condition));
  const Tensor row0 = negative.forward(input("sample"), timestep, negative.prepare(condition))[0];
  const Tensor row1 = positive.forward(input("sample"), timestep, positive.prepare(condition))[1];
  EXPECT_LT(relative_error(one[0], row0), 1e-5);
  EXPECT_LT(relative_error(one[1], row1), 1e-5);
  EXPECT_GT(relative_error(one[0], plain[0]), 1e-3) << "the LoRA does nothing";
  EXPECT_GT(relative_error(one[1], row0), 1e-3) << "branches are the same";
}

TEST(CheckPlan, RefusesWhatCannotBe) {
  const auto refused = [](auto change) {
    Plan plan = small_plan("owl", 4);
    change(plan);
    EXPECT_THROW(check_plan(bundled(), plan), Error);
  };
  refused([](Plan& plan) { plan.width_px = 63; });
  refused([](Plan& plan) { plan.height_px = 0; });
  refused([](Plan& plan) { plan.width_px = plan.height_px = 16384; });
  refused([](Plan& plan) { plan.sampler = "ddim"; });
  refused([](Plan& plan) { plan.grid = "beta"; });
}

}  // namespace
}  // namespace negativa
