#include "schedule/split.h"

#include <gtest/gtest.h>

#include "schedule/golden.h"

namespace negativa::test {

TEST(Split, CountsStepsAsBothDiffusersPipelinesDo) {
  const auto schedule = sdxl_schedule();
  const auto& splits = golden().at("splits");
  for (const auto& row : splits.at("rows")) {
    const auto grid = make_grid(schedule, rules_of(row.at("sampler")), row.at("grid").get<std::string>(), row.at("steps"));
    for (size_t k = 0; k < splits.at("fractions").size(); ++k) {
      const auto split = split_steps(grid, splits.at("fractions")[k], 1000);
      SCOPED_TRACE(label_of(row) + " at " + splits.at("fractions")[k].dump());
      EXPECT_EQ(split.base.size(), row.at("counts")[k][0].get<int64_t>());
      EXPECT_EQ(split.refiner.size(), row.at("counts")[k][1].get<int64_t>());
      EXPECT_EQ(split.base.begin, 0);
      EXPECT_EQ(split.base.end, split.refiner.begin);
      EXPECT_EQ(split.refiner.end, grid.steps());
    }
  }
}

// sdxl.md 5.7
TEST(Split, HandsOverAtTheSigmaWhereTheRefinerBegins) {
  const auto schedule = sdxl_schedule();
  const auto grid = make_grid(schedule, GridRules::euler, "leading", 50);
  const auto split = split_steps(grid, 0.8, 1000);
  EXPECT_EQ(split.base.size(), 40);
  EXPECT_EQ(grid.timesteps[split.base.end - 1], 201);
  EXPECT_EQ(grid.timesteps[split.refiner.begin], 181);
  EXPECT_NEAR(grid.sigmas[split.base.end - 1], .574051f, 1e-6f);
  EXPECT_NEAR(grid.sigmas[split.base.end], .526976f, 1e-6f);
  const std::vector<std::pair<double, int64_t>> others = {{0.7, 35}, {0.75, 37}, {0.85, 42}, {0.9, 45}};
  for (const auto& [fraction, base_steps] : others)
    EXPECT_EQ(split_steps(grid, fraction, 1000).base.size(), base_steps) << fraction;
  const auto dpm = make_grid(schedule, GridRules::dpm_solver, "leading", 50);
  const auto dpm_split = split_steps(dpm, 0.8, 1000);
  EXPECT_EQ(dpm.timesteps[dpm_split.base.end - 1], 210);
  EXPECT_EQ(dpm.timesteps[dpm_split.refiner.begin], 191);
}

TEST(Split, LosesNoStepWhateverTheCountAndFraction) {
  const auto schedule = sdxl_schedule();
  for (int64_t steps = 1; steps <= 100; ++steps) {
    const auto grid = make_grid(schedule, GridRules::euler, "linspace", steps);
    for (double fraction = 0.01; fraction < 1; fraction += 0.01) {
      const auto split = split_steps(grid, fraction, 1000);
      ASSERT_EQ(split.base.size() + split.refiner.size(), steps);
      ASSERT_EQ(split.base.end, split.refiner.begin);
    }
  }
}

TEST(Split, RefusesFractionsThatGiveOneModelNothing) {
  const auto grid = make_grid(sdxl_schedule(), GridRules::euler, "leading", 50);
  for (const double fraction : {0.0, 1.0, -0.1, 1.5, std::nan("")})
    EXPECT_THROW(split_steps(grid, fraction, 1000), Error) << fraction;
}

}  // namespace negativa::test
