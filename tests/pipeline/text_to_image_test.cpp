#include "pipeline/text_to_image.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "golden_file.h"
#include "lora/attach.h"
#include "lora/merge_weights.h"
#include "model/lora_targets.h"
#include "pipeline/denoise.h"
#include "text/text_models.h"

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
      if (expected.count_nonzero().item<int64_t>() == 0)
        EXPECT_EQ(got.count_nonzero().item<int64_t>(), 0) << entry.name;
      else
        EXPECT_LT(relative_error(got, expected), 1e-4) << entry.name;
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

TEST(TextToImage, ReportsOneStepHoweverManyPredictionsItTakes) {
  Plan plan = small_plan("owl", 4);
  plan.sampler = "heun";
  int steps = 0;
  RunHooks hooks;
  hooks.on_step = [&] { ++steps; };
  const Tensor heun = text_to_image(bundled(), plan, hooks).tensors.at("latents");
  EXPECT_EQ(steps, 4);
  plan.sampler = "euler";
  EXPECT_FALSE(at::equal(heun, text_to_image(bundled(), plan, {}).tensors.at("latents")));
}

// A sampler as it may be: several predictions a step, and a memory of its own.
class Patient : public Sampler {
 public:
  mutable std::vector<std::string> said;
  std::function<void()> after_prediction = [] {};

  GridRules grid_rules() const override { return GridRules::euler; }
  float init_noise_sigma(const SigmaGrid&) const override { return 1; }
  Tensor scale_model_input(float, const Tensor& sample) const override { return sample; }
  Tensor x0(float, const Tensor& sample, const Tensor&) const override { return sample; }
  int64_t predictions(int64_t, const SigmaGrid&) const override { return 3; }
  Tensor step(const SamplerStep& step, const Predict& predict, Generator&, SamplerState& state) const override {
    int& steps = state.as<int>();
    for (int i = 0; i < 3; ++i) {
      predict(step.sample, step.from());
      said.push_back(fmt::format("step {} prediction {}", steps, i));
      after_prediction();
    }
    ++steps;
    return step.sample;
  }
};

TEST(Denoise, LetsASamplerPredictSeveralTimesAndStopsBetweenTwoPredictions) {
  const c10::InferenceMode inference;
  const auto golden_file = golden("unet_emoji");
  const auto input = [&](const char* name) { return golden_file->load(std::string("base.") + name); };
  const Tensor latents = input("sample").narrow(0, 0, 1);
  const SigmaGrid grid{{2, 1}, {2, 1, 0}, "leading"};
  Patient sampler;
  Generator generator(0);
  CancelToken cancel;
  const auto run = [&] {
    denoise({*bundled().unet(),
             sampler,
             grid,
             {0, 2},
             {input("prompt_embeds"), input("pooled_prompt_embeds"), input("add_time_ids")},
             nn::Adapters::none(),
             {classifier_free(5, {0, 0.5}), 0},
             at::kFloat,
             {},
             &cancel},
            latents, generator);
  };
  run();
  ASSERT_EQ(sampler.said.size(), 6u);
  EXPECT_EQ(sampler.said.back(), "step 1 prediction 2");
  sampler.said.clear();
  sampler.after_prediction = [&] { cancel.cancel(); };
  EXPECT_THROW(run(), Error);
  EXPECT_EQ(sampler.said, std::vector<std::string>{"step 0 prediction 0"});
}

// A UNet with the LoRA's product added to its weights: what attaching must equal.
UNet merged_unet(const std::vector<ActiveLora>& loras, bool packed) {
  UNet unet(bundled().facts().unet);
  nn::LoadOptions options;
  options.storage = at::kFloat;
  unet.load(bundled().files().weights("unet"), options);
  nn::Walk walk = nn::walk(unet);
  for (auto& [name, linear] : walk.linears)
    for (const auto& lora : loras) {
      const auto& modules = lora.file->modules.at("unet");
      if (const auto found = modules.find(name); found != modules.end())
        linear->weight = linear->weight + delta(found->second, lora.weight.unet);
    }
  if (packed) nn::pack_small(walk);
  return unet;
}

// Diffusion-NPO (arXiv:2505.11245): positive branch W + dpo, negative branch W + 0.6 dpo + npo. Its authors' pipeline holds two
// UNets.
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

  const UNet& unet = *bundled().unet();
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

struct Stages : testing::Test {  // a model that does not keep its parts, as one of full size
  Models models{[] {
    ModelRequest request = bundled().request();
    request.keep_parts = false;
    return request;
  }()};
  std::vector<Plan> plans;
  std::map<size_t, ImageResult> made;
  const OnPicture keep = [this](size_t i, ImageResult&& result) { made[i] = std::move(result); };

  Stages() {
    for (const char* prompt : {"owl", "a big lion", "owl", "(frog)++ and a long tail"}) {
      plans.push_back(small_plan(prompt, 4));
      plans.back().sampler = "euler_ancestral";
      plans.back().seed = plans.size();
      plans.back().refiner_start = 0.5;
    }
    plans[1].refiner_start = {};
    plans[3].negative_prompt = "blurry";
    LoraTargets targets = lora_targets(models.files());
    auto adapters = std::make_shared<PictureAdapters>();
    adapters->unet = unet_adapters(
        {{std::make_shared<LoraFile>(read_lora(test::source_folder() / "tests/golden/lora_kohya.safetensors", targets)), 0.2,
          LoraBranch::negative}});
    plans[3].adapters = adapters;
  }
  std::map<std::string, int> loads_of(const Grouping& grouping) {
    const auto before = models.loads();
    text_to_images(models, plans, grouping, {}, keep);
    auto loads = models.loads();
    for (const auto& [part, count] : before) loads[part] -= count;
    return loads;
  }
  using Loads = std::map<std::string, int>;
};

TEST_F(Stages, ShowPreviewsByATaesdWithoutTheVaeBesideTheUNet) {
  const auto file = golden("vae_tiny");
  Weights weights;
  for (const auto& entry : file->entries())
    if (entry.name.starts_with("vae.")) weights[entry.name.substr(4)] = {.file = file, .key = entry.name};
  auto tiny = std::make_shared<Vae>(VaeConfig::from_json(file->metadata().at("config"), "vae_tiny"));
  tiny->load(weights, {});
  RunHooks hooks;
  hooks.preview_every = 2;
  std::map<size_t, Tensor> last;
  int shown = 0;
  hooks.on_preview = [&](size_t picture, int64_t, const Tensor& image) {
    last[picture] = image;
    ++shown;
  };
  text_to_images(models, plans, {}, hooks, keep);
  EXPECT_EQ(shown, 0) << "the linear map needs the VAE";
  hooks.preview_vae = tiny;
  for (auto& plan : plans) plan.sampler = "euler";
  text_to_images(models, plans, {}, hooks, keep);
  ASSERT_EQ(last.size(), plans.size());
  for (size_t i = 0; i < plans.size(); ++i) {  // after the last step what is shown is what is decoded
    const c10::InferenceMode inference;
    const Tensor expected = tiny->decode(made[i].tensors.at("latents")).clamp(-1, 1);
    EXPECT_LT(relative_error(last[i], expected), 1e-4) << i;
  }
}

TEST_F(Stages, GiveTheBytesOfPicturesMadeAlone) {
  text_to_images(models, plans, {}, {}, keep);
  ASSERT_EQ(made.size(), plans.size());
  for (size_t i = 0; i < plans.size(); ++i) {
    const ImageResult alone = text_to_image(bundled(), plans[i], {});
    EXPECT_TRUE(at::equal(made[i].image, alone.image)) << i;
    ASSERT_EQ(made[i].tensors.size(), alone.tensors.size());
    for (const auto& [name, tensor] : alone.tensors) EXPECT_TRUE(at::equal(made[i].tensors.at(name), tensor)) << i << " " << name;
  }
}

TEST_F(Stages, LoadEachPartOnceForAGroup) {
  const Loads once{{"text", 1}, {"refiner_text", 1}, {"unet", 1}, {"refiner_unet", 1}, {"vae", 1}};
  EXPECT_EQ(loads_of({}), once);
  EXPECT_EQ(loads_of({2, 300}), (Loads{{"text", 2}, {"refiner_text", 2}, {"unet", 2}, {"refiner_unet", 2}, {"vae", 2}}));
  EXPECT_EQ(loads_of({64, 0}), (Loads{{"text", 1}, {"refiner_text", 1}, {"unet", 4}, {"refiner_unet", 3}, {"vae", 4}}))
      << "picture 1 has no refiner";
  for (int i = 0; i < 2; ++i) text_to_image(bundled(), plans[0], {});
  EXPECT_EQ(bundled().loads(), once) << "a small model keeps its parts";
}

TEST_F(Stages, EncodeATextOnce) {
  text_to_images(models, plans, {}, {}, keep);
  const auto place = [&](size_t i, const char* name) { return made[i].tensors.at(name).data_ptr(); };
  EXPECT_EQ(place(0, "prompt_embeds"), place(2, "prompt_embeds"));
  EXPECT_NE(place(0, "prompt_embeds"), place(1, "prompt_embeds"));
}

TEST_F(Stages, KeepWhatIsDoneWhenCancelled) {
  CancelToken cancel;
  int steps = 0;
  RunHooks hooks;
  hooks.cancel = &cancel;
  hooks.on_step = [&] {
    if (++steps == 6) cancel.cancel();
  };
  EXPECT_THROW(text_to_images(models, plans, {64, 0}, hooks, keep), Error);
  EXPECT_EQ(steps, 6);
  EXPECT_EQ(made.size(), 1u);
  EXPECT_TRUE(at::equal(made[0].image, text_to_image(bundled(), plans[0], {}).image));
}

TEST(TextToImage, ARefinerInTheBasesPlaceTakesItsLorasAndSaysWhatWasCut) {
  ModelRequest request;
  request.model = test::bundled_model() / "refiner";
  Models models(request);
  Plan plan = small_plan("", 1);
  for (int i = 0; i < 90; ++i) plan.prompt += "lion ";
  plan.prompt_2 = plan.prompt;
  std::vector<std::string> notices;
  RunHooks hooks;
  hooks.on_notice = [&](const std::string& text) { notices.push_back(text); };
  const Tensor plain = text_to_image(models, plan, hooks).tensors.at("prompt_embeds");
  EXPECT_EQ(notices.size(), 1u);
  auto adapters = std::make_shared<PictureAdapters>();
  const int64_t width = text_config(models.files(), "text_encoder_2").hidden_size;
  adapters->positive_text[1].add(
      "text_model.encoder.layers.0.mlp.fc1",
      {at::ones({1, width}), at::ones({text_config(models.files(), "text_encoder_2").intermediate_size, 1}), {1}});
  plan.adapters = adapters;
  EXPECT_FALSE(at::equal(text_to_image(models, plan, {}).tensors.at("prompt_embeds"), plain));
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
