#include "schedule/guidance.h"

#include <gtest/gtest.h>

#include "schedule/golden.h"

namespace negativa::test {

namespace {
float largest_difference(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<float>(); }

// Classifier-free guidance in one step.
Tensor guide(const Tensor& uncond, const Tensor& text, double scale, double rescale) {
  return StepGuidance({{{positive_row, scale, {}}}, rescale}, 0, 1).combine({uncond, text});
}
}  // namespace

TEST(Guidance, EqualsDiffusersWithAndWithoutRescale) {
  const auto& row = golden().at("guidance");
  const Shape shape = row.at("shape");
  const auto uncond = tensor_of(row.at("uncond"), shape), text = tensor_of(row.at("text"), shape);
  EXPECT_LT(largest_difference(guide(uncond, text, 7.5f, 0), tensor_of(row.at("guided"), shape)), 2e-6f);
  EXPECT_LT(largest_difference(guide(uncond, text, 7.5f, 0.7f), tensor_of(row.at("rescaled"), shape)), 2e-6f);
}

TEST(Guidance, RescalesEachPictureOfABatchByItself) {
  const auto uncond = Generator(1).randn({2, 4, 6, 6}),
             text = Generator(2).randn({2, 4, 6, 6}) * at::tensor({1.f, 5.f}).view({2, 1, 1, 1});
  const auto together = guide(uncond, text, 7, 0.7f);
  for (int64_t i = 0; i < 2; ++i) {
    const auto alone = guide(uncond.narrow(0, i, 1), text.narrow(0, i, 1), 7, 0.7f);
    EXPECT_LT(largest_difference(together.narrow(0, i, 1), alone), 1e-5f);
  }
}

TEST(Guidance, FullyRescaledHasTheSpreadOfThePositivePrediction) {
  const auto uncond = Generator(1).randn({1, 4, 8, 8}), text = Generator(2).randn({1, 4, 8, 8});
  EXPECT_NEAR(guide(uncond, text, 9, 1).std().item<float>(), text.std().item<float>(), 1e-5f);
}

TEST(Guidance, OfScaleOneIsThePositivePrediction) {
  const auto uncond = Generator(1).randn({1, 4, 8, 8}), text = Generator(2).randn({1, 4, 8, 8});
  EXPECT_LT(largest_difference(guide(uncond, text, 1, 0), text), 1e-6f);
}

TEST(Guidance, RefusesPredictionsOfDifferentShape) {
  EXPECT_THROW(guide(at::zeros({1, 4, 8, 8}), at::zeros({2, 4, 8, 8}), 7, 0), Error);
}

TEST(Guidance, RefusesPredictionsOfOtherRowsThanItAskedFor) {
  const StepGuidance guidance({{{positive_row, 7, {}}}, 0}, 0, 1);
  EXPECT_THROW(guidance.combine({at::zeros({1, 4, 8, 8})}), Error);
}

TEST(Guidance, AsksForThePositiveRowAloneWhereNoTermIsActive) {
  const Tensor text = Generator(1).randn({1, 4, 8, 8});
  const Guidance none{classifier_free(1, {}), 0.7}, early{classifier_free(7, {0, 0.5}), 0.7};
  EXPECT_TRUE(none.terms.empty());
  for (const auto& guidance : {StepGuidance(none, 0, 4), StepGuidance(early, 2, 4)}) {
    EXPECT_EQ(guidance.rows(), std::vector<int>{positive_row});
    EXPECT_TRUE(guidance.combine({text}).is_same(text));
  }
  EXPECT_EQ(StepGuidance(early, 1, 4).rows(), (std::vector<int>{reference_row, positive_row}));
  EXPECT_TRUE(runs_row(early, reference_row, {1, 4}, 4));
  EXPECT_FALSE(runs_row(early, reference_row, {2, 4}, 4));
  EXPECT_FALSE(runs_row(none, reference_row, {0, 4}, 4));
  EXPECT_TRUE(runs_row(none, positive_row, {0, 4}, 4));
}

// uncond + 7·(text - uncond) - 0.5·(away - uncond), each term in its own part of the run.
TEST(Guidance, AddsATermOfAThirdRowInItsOwnInterval) {
  const Guidance guidance{{{positive_row, 7, {0, 0.5}}, away_from_negative(0.5, {0.25, 0.75})}, 0};
  const auto uncond = Generator(1).randn({1, 4, 8, 8}), text = Generator(2).randn({1, 4, 8, 8}),
             away = Generator(3).randn({1, 4, 8, 8});
  const StepGuidance both(guidance, 1, 4), away_alone(guidance, 2, 4);
  EXPECT_EQ(StepGuidance(guidance, 0, 4).rows(), (std::vector<int>{reference_row, positive_row}));
  EXPECT_EQ(both.rows(), (std::vector<int>{reference_row, positive_row, negative_row}));
  EXPECT_EQ(away_alone.rows(), both.rows());
  EXPECT_EQ(StepGuidance(guidance, 3, 4).rows(), std::vector<int>{positive_row});
  EXPECT_FALSE(runs_row(guidance, negative_row, {0, 1}, 4));
  EXPECT_TRUE(runs_row(guidance, negative_row, {0, 2}, 4));
  EXPECT_LT(largest_difference(both.combine({uncond, text, away}), uncond + 7 * (text - uncond) - 0.5 * (away - uncond)), 1e-5f);
  EXPECT_LT(largest_difference(away_alone.combine({uncond, text, away}), text - 0.5 * (away - uncond)), 1e-5f);
}

TEST(GuidanceInterval, CoversEveryStepByDefault) {
  for (int64_t i = 0; i < 50; ++i) EXPECT_TRUE(guidance_active(i, 50, {}));
}

TEST(GuidanceInterval, IncludesItsBeginningAndExcludesItsEnd) {
  const auto active_steps = [](int64_t steps, GuidanceInterval interval) {
    std::vector<int64_t> active;
    for (int64_t i = 0; i < steps; ++i)
      if (guidance_active(i, steps, interval)) active.push_back(i);
    return active;
  };
  EXPECT_EQ(active_steps(10, {0.2, 0.6}), (std::vector<int64_t>{2, 3, 4, 5}));
  EXPECT_EQ(active_steps(10, {0.0, 0.25}), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(active_steps(10, {0.7, 1.0}), (std::vector<int64_t>{7, 8, 9}));
  EXPECT_TRUE(active_steps(10, {0.5, 0.5}).empty());
}

}  // namespace negativa::test
