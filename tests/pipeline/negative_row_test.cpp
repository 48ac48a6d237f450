// The negative prompt in a row of its own: unconditional + cfg·(positive - unconditional) - V·(negative - unconditional).
#include <gtest/gtest.h>

#include "golden_file.h"
#include "lora/attach.h"
#include "model/lora_targets.h"
#include "pipeline/prediction.h"
#include "pipeline/stages.h"

namespace negativa {
namespace {

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

std::shared_ptr<const LoraFile> wrong_lora() {
  static const auto file = std::make_shared<const LoraFile>(
      read_lora(test::source_folder() / "models/wrong-lora/wrong.safetensors", lora_targets(bundled().files())));
  return file;
}

Plan lion(int64_t steps) {
  Plan plan;
  plan.prompt = plan.prompt_2 = "a big lion";
  plan.negative_prompt = "wrong";
  plan.height_px = plan.width_px = 32;
  plan.original_size = plan.target_size = {32, 32};
  plan.steps = steps;
  plan.guidance_scale = plan.refiner_guidance_scale = 5;
  plan.negative_scale = 1.5;
  plan.sampler = "euler";
  plan.grid = "leading";
  return plan;
}

std::shared_ptr<const PictureAdapters> unet_lora(LoraBranch branch, double weight = 1) {
  auto adapters = std::make_shared<PictureAdapters>();
  adapters->unet = unet_adapters({{wrong_lora(), weight, branch}}, NegativeRow::own);
  return adapters;
}

Drawing begun(const Plan& plan) {
  EncodedTexts of_base, of_refiner;
  Drawing drawing = begin_drawing(bundled(), plan);
  encode_for_base(bundled(), drawing, of_base, {});
  encode_for_refiner(bundled(), drawing, of_refiner, {});
  draw_noise(bundled(), drawing);
  return drawing;
}

// A loop of our own over some of a picture's steps, a UNet pass a row. lora[k]: what acts on the unconditional, positive and
// negative row.
struct Loop {
  const Drawing& drawing;
  const UNet& unet;
  const Sampler& sampler;
  StepRange steps;
  const Conditioning& text;
  std::array<nn::Adapters, 3> lora = {};

  Tensor row(int64_t step, const Tensor& latents, int index) const {
    const Plan& plan = drawing.plan;
    const PromptEmbeds& embeds = index == 0 ? *text.unconditional : index == 1 ? text.positive : text.negative;
    const int64_t count = unet.config.num_time_ids(embeds.pooled_prompt_embeds.size(1));
    const Tensor ids = time_ids({plan.original_size, plan.crop_top_left, plan.target_size}, count,
                                index == 1 ? plan.aesthetic_score : plan.negative_aesthetic_score);
    const auto prepared = unet.prepare({embeds.prompt_embeds, embeds.pooled_prompt_embeds, ids.unsqueeze(0)}, lora[index]);
    const auto& grid = drawing.course.grid;
    return unet.forward(sampler.scale_model_input(grid.sigmas[step], latents), grid.timesteps[step], prepared, lora[index]);
  }

  Tensor prediction(int64_t step, const Tensor& latents) const {
    const Plan& plan = drawing.plan;
    const double progress = static_cast<double>(step) / static_cast<double>(drawing.course.grid.steps());
    const auto within = [&](const GuidanceInterval& part) { return part.begin <= progress && progress < part.end; };
    const Tensor none = row(step, latents, 0), positive = row(step, latents, 1), negative = row(step, latents, 2);
    Tensor noise =
        plan.guidance_scale > 1 && within(plan.guidance_interval) ? none + plan.guidance_scale * (positive - none) : positive;
    if (within(plan.negative_interval)) noise = noise - *plan.negative_scale * (negative - none);
    return plan.guidance_rescale * noise * (positive.std() / noise.std()) + (1 - plan.guidance_rescale) * noise;
  }

  Tensor run(Tensor latents) const {
    SamplerState state;
    Generator unused(0);
    for (int64_t i = steps.begin; i < steps.end; ++i)
      latents = sampler.step(
          {i, drawing.course.grid, latents}, [&](const Tensor& sample, const NoiseLevel&) { return prediction(i, sample); },
          unused, state);
    return latents;
  }
};

}  // namespace

TEST(NegativeRow, IsGuidedAwayFromAtEveryCfgInItsOwnIntervalAndWithRescale) {
  const c10::InferenceMode inference;
  const std::function<void(Plan&)> changes[] = {
      [](Plan&) {},
      [](Plan& plan) { plan.guidance_scale = 1; },
      [](Plan& plan) { plan.guidance_scale = 0.3; },
      [](Plan& plan) { plan.guidance_rescale = 0.7; },
      [](Plan& plan) {
        plan.guidance_interval = {0, 0.5}, plan.negative_interval = {0.25, 0.75};
      },
      [](Plan& plan) { plan.negative_prompt.reset(); },
  };
  for (const auto& change : changes) {
    Plan plan = lion(4);
    change(plan);
    plan.adapters = unet_lora(LoraBranch::negative);
    Drawing drawing = begun(plan);
    const nn::Adapters on_row = unet_adapters({{wrong_lora(), 1, LoraBranch::both}}).rows({0});
    const Tensor expected =
        Loop{drawing, *bundled().unet(), *drawing.course.sampler, drawing.course.split.base, drawing.text, {{{}, {}, on_row}}}
            .run(drawing.latents);
    denoise_with_base(bundled(), drawing, {});
    EXPECT_LT(relative_error(drawing.latents, expected), 1e-4) << &change - changes;
  }
}

TEST(NegativeRow, HasItsPlaceInTheRefinerWhoseUnconditionalTextIsNotZeros) {
  const c10::InferenceMode inference;
  Plan plan = lion(4);
  plan.refiner_start = 0.5;
  plan.negative_interval = {0.75, 1};
  plan.adapters = unet_lora(LoraBranch::both);  // acts on the base alone
  Drawing drawing = begun(plan);
  EXPECT_EQ(drawing.text.unconditional->prompt_embeds.count_nonzero().item<int64_t>(), 0);
  EXPECT_GT(drawing.refiner_text->unconditional->prompt_embeds.count_nonzero().item<int64_t>(), 0);
  denoise_with_base(bundled(), drawing, {});
  ASSERT_EQ(drawing.course.split.refiner.size(), 2);
  const Tensor expected = Loop{drawing, *bundled().refiner_unet(), *drawing.course.refiner_sampler, drawing.course.split.refiner,
                               *drawing.refiner_text}
                              .run(drawing.latents);
  denoise_with_refiner(bundled(), drawing, {});
  EXPECT_LT(relative_error(drawing.latents, expected), 1e-4);
  plan.negative_interval = {0, 0.5};
  EXPECT_GT(relative_error(text_to_image(bundled(), plan, {}).tensors.at("latents"), expected), 1e-3);
}

TEST(NegativeRow, LorasActOnTheRowsOfTheirBranchAndNoneOnTheUnconditionalOne) {
  const c10::InferenceMode inference;
  const Plan plan = lion(1);
  const Drawing drawing = begun(plan);
  const std::array<const PromptEmbeds*, 3> texts{&*drawing.text.unconditional, &drawing.text.positive, &drawing.text.negative};
  std::vector<Tensor> embeds, pooled, ids;
  for (const auto* text : texts) {
    embeds.push_back(text->prompt_embeds);
    pooled.push_back(text->pooled_prompt_embeds);
    ids.push_back(time_ids({plan.original_size, plan.crop_top_left, plan.target_size}));
  }
  const UNetCondition condition{at::cat(embeds), at::cat(pooled), at::stack(ids)};
  const UNet& unet = *bundled().unet();
  const auto run = [&](const nn::Adapters& adapters) {
    return unet.forward(drawing.latents.expand({3, -1, -1, -1}), 501, unet.prepare(condition, adapters), adapters);
  };
  const Tensor plain = run(nn::Adapters::none());
  const std::pair<LoraBranch, std::vector<int>> rows_of_branches[] = {
      {LoraBranch::negative, {2}}, {LoraBranch::positive, {1}}, {LoraBranch::both, {1, 2}}};
  for (const auto& [branch, rows] : rows_of_branches) {
    const Tensor with_lora = run(unet_lora(branch)->unet);
    for (int row = 0; row < 3; ++row)
      if (std::count(rows.begin(), rows.end(), row))
        EXPECT_GT(relative_error(with_lora[row], plain[row]), 1e-3) << branch_name(branch) << " " << row;
      else
        EXPECT_TRUE(at::equal(with_lora[row], plain[row])) << branch_name(branch) << " " << row;
  }
}

TEST(NegativeRow, ThreePromptsAreOfOneLengthEachFilledUpAsItsOwnLorasHaveIt) {
  const c10::InferenceMode inference;
  auto adapters = std::make_shared<PictureAdapters>();
  adapters->negative_text[0].add("text_model.encoder.layers.0.mlp.fc1", {at::full({1, 64}, 0.1), at::ones({256, 1}), {1}});
  Plan plan = lion(1);
  plan.negative_prompt = "(\"blurry\", \"ugly\").and()";
  plan.refiner_start = 0.5;
  const auto embeds_of = [](const Plan& plan, bool refiner) {
    const Drawing drawing = begun(plan);
    const Conditioning& text = refiner ? *drawing.refiner_text : drawing.text;
    return std::array{text.unconditional->prompt_embeds, text.positive.prompt_embeds, text.negative.prompt_embeds};
  };
  const auto plain = embeds_of(plan, false), of_refiner = embeds_of(plan, true);
  for (const auto& embeds : {plain, of_refiner})
    for (const auto& one : embeds) EXPECT_EQ(one.size(1), 154);
  EXPECT_EQ(plain[0].count_nonzero().item<int64_t>(), 0);
  EXPECT_TRUE(at::equal(of_refiner[0].slice(1, 77), of_refiner[1].slice(1, 77))) << "the empty prompt fills both up";
  EXPECT_TRUE(at::equal(of_refiner[0].slice(1, 0, 77), of_refiner[0].slice(1, 77)));
  Plan longer = plan;
  longer.prompt = longer.prompt_2 = "(\"a\", \"big\", \"lion\").and()";
  const auto plain_of_longer = embeds_of(longer, false);
  longer.adapters = plan.adapters = adapters;
  const auto with_lora = embeds_of(plan, false);
  EXPECT_TRUE(at::equal(with_lora[1], plain[1]));
  EXPECT_FALSE(at::equal(with_lora[2], plain[2]));
  EXPECT_EQ(plain_of_longer[2].size(1), 231);
  EXPECT_FALSE(at::equal(embeds_of(longer, false)[2].slice(1, 154), plain_of_longer[2].slice(1, 154))) << "the fill has no LoRA";
}

TEST(NegativeRow, IsCountedInTimeAndMemory) {
  Plan three = lion(100), two = three;
  two.negative_scale.reset();
  EXPECT_NEAR(picture_flop(bundled(), three) / picture_flop(bundled(), two), 1.5, 0.05);
  three.negative_interval = {0, 0.4};
  EXPECT_NEAR(picture_flop(bundled(), three) / picture_flop(bundled(), two), 1.2, 0.05);
  three.width_px = three.height_px = two.width_px = two.height_px = 512;
  const UNetConfig& unet = bundled().facts().unet;
  const int64_t side = 512 / bundled().vae_config().factor();
  EXPECT_GT(picture_memory(bundled(), {three}, 1).activations, 4 * unet_work(unet, {3, side, side}).most_elements);
  EXPECT_EQ(batch_rows(three), 3);
  EXPECT_EQ(batch_rows(two), 2);
}

}  // namespace negativa
