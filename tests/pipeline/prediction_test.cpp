#include "pipeline/prediction.h"

#include <gtest/gtest.h>

#include "golden_file.h"

namespace negativa {
namespace {

TEST(Prediction, TakesTheLargestStageOfAModelThatHoldsOnePartAtATime) {
  ModelRequest request;
  request.model = test::bundled_model();
  Models keeping(request);
  request.keep_parts = false;
  Models one_by_one(request);
  Plan plan;
  plan.height_px = plan.width_px = 64;
  plan.steps = 10;
  plan.sampler = "euler";
  plan.grid = "leading";
  const Prediction all = predict(keeping, {plan}, 1), largest = predict(one_by_one, {plan}, 1);
  EXPECT_LT(largest.weights_bytes, all.weights_bytes);
  EXPECT_GE(all.weights_bytes, keeping.weight_bytes());
  EXPECT_GT(largest.activations_bytes, 0);
  const double guided = picture_flop(keeping, plan);
  plan.guidance_scale = 1;
  EXPECT_NEAR(picture_flop(keeping, plan) / guided, 0.5, 0.1);
  EXPECT_GT(all.seconds(), 0);
}

TEST(Prediction, CountsTheWeightsThatAdaptersChangeOnceForAllPicturesThatShareThem) {
  ModelRequest request;
  request.model = test::bundled_model();
  const Models models(request);
  const std::string layer = "mid_block.attentions.0.proj_in";
  const auto with_lora = [&](int64_t rank) {
    auto adapters = std::make_shared<PictureAdapters>();
    adapters->unet.add(layer, {at::zeros({rank, 128}), at::zeros({128, rank}), {1.f}});
    Plan plan;
    plan.height_px = plan.width_px = 64;
    plan.adapters = adapters;
    return plan;
  };
  Plan plain = with_lora(4);
  plain.adapters = std::make_shared<PictureAdapters>();
  const Plan one = with_lora(4);
  const auto weights = [&](const std::vector<Plan>& plans) { return picture_memory(models, plans, 1).weights; };
  const auto shape = models.weights().at(Part::unet).at(layer + ".weight").shape();
  const int64_t changed = 2 * c10::multiply_integers(shape) * 4;
  EXPECT_EQ(weights({one}) - weights({plain}), changed);
  EXPECT_EQ(weights({one, plain, one}) - weights({plain}), changed);
  EXPECT_EQ(weights({one, with_lora(8)}) - weights({plain}), 2 * changed);
}

TEST(Prediction, CountsThePredictionsThatASamplerAsksFor) {
  ModelRequest request;
  request.model = test::bundled_model();
  const Models models(request);
  Plan plan;
  plan.height_px = plan.width_px = 64;
  plan.steps = 10;
  plan.grid = "karras";
  plan.guidance_interval = {0, 0.3};
  const auto flop = [&](const char* sampler, int64_t steps) {
    plan.sampler = sampler;
    plan.steps = steps;
    return picture_flop(models, plan);
  };
  const double row = flop("euler", 10) - flop("euler", 9);  // 3 of 10 steps are guided, 3 of 9 too
  EXPECT_NEAR((flop("heun", 10) - flop("euler", 10)) / row, 3 * 2 + 6, 1e-6) << "one more in each step but the last";
  EXPECT_EQ(denoising_steps(models, plan), 10);
}

}  // namespace
}  // namespace negativa
