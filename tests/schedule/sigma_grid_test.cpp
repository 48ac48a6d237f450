#include <gtest/gtest.h>

#include "schedule/golden.h"

namespace negativa::test {

namespace {
void expect_close(const std::vector<float>& got, const std::vector<float>& expected, float relative) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], relative * std::abs(expected[i])) << "at " << i;
}

std::vector<float> first(const std::vector<float>& values, size_t count) { return {values.begin(), values.begin() + count}; }
}  // namespace

TEST(SigmaGrid, EqualsDiffusersForEverySamplerAndGrid) {
  const auto schedule = sdxl_schedule();
  for (const auto& row : golden().at("grids")) {
    SCOPED_TRACE(label_of(row));
    const auto rules = rules_of(row.at("sampler"));
    const auto grid = make_grid(schedule, rules, row.at("grid").get<std::string>(), row.at("steps"));
    const bool is_curve = row.at("grid") == "karras" || row.at("grid") == "exponential";
    const bool fractional = is_curve && rules != GridRules::dpm_solver;
    expect_close(grid.timesteps, row.at("timesteps"), fractional ? 2e-6f : 0.f);
    expect_close(grid.sigmas, row.at("sigmas"), 2.5e-7f);
    const float init = row.at("init_noise_sigma");
    EXPECT_NEAR(make_sampler(row.at("sampler").get<std::string>(), schedule.config)->init_noise_sigma(grid), init,
                2.5e-7f * init);
  }
}

// sdxl.md 5.2
TEST(SigmaGrid, HasThePublishedEulerLeadingSigmas) {
  const auto schedule = sdxl_schedule();
  const auto euler = make_sampler("euler", schedule.config);
  const auto grid = make_grid(schedule, GridRules::euler, "leading", 50);
  expect_close(first(grid.sigmas, 3), {13.120416f, 11.676050f, 10.425045f}, 1e-7f);
  expect_close({grid.sigmas.end() - 4, grid.sigmas.end()}, {.20179357f, .14146365f, .04131448f, 0}, 2.5e-7f);
  const std::vector<std::pair<int64_t, float>> init = {{50, 13.158469f}, {40, 12.77857f}, {30, 11.520334f}, {25, 11.718795f},
                                                       {20, 11.073581f}, {10, 8.450067f}, {4, 4.236414f}};
  for (const auto& [steps, sigma] : init)
    EXPECT_NEAR(euler->init_noise_sigma(make_grid(schedule, GridRules::euler, "leading", steps)), sigma, 5e-7f * sigma) << steps;
}

// sdxl.md 5.3, 5.4
TEST(SigmaGrid, PlacesDpmSolverGridsByItsOwnRules) {
  const auto schedule = sdxl_schedule();
  EXPECT_EQ(first(make_grid(schedule, GridRules::dpm_solver, "leading", 25).timesteps, 2), (std::vector<float>{951, 913}));
  EXPECT_EQ(first(make_grid(schedule, GridRules::euler, "leading", 25).timesteps, 2), (std::vector<float>{961, 921}));
  EXPECT_EQ(first(make_grid(schedule, GridRules::dpm_solver, "linspace", 25).timesteps, 4),
            (std::vector<float>{999, 959, 919, 879}));
  EXPECT_EQ(make_grid(schedule, GridRules::dpm_solver, "karras", 25).timesteps,
            (std::vector<float>{999, 970, 938, 905, 868, 829, 786, 739, 687, 630, 568, 500, 427,
                                352, 278, 207, 146, 96,  59,  34,  18,  9,   4,   1,   0}));
  const auto karras = make_grid(schedule, GridRules::euler, "karras", 30);
  expect_close(first(karras.sigmas, 3), {11.476851f, 10.031294f, 8.7446947f}, 1e-7f);
  expect_close(first(karras.timesteps, 3), {958, 934.0721f, 908.7943f}, 1e-7f);
}

// sdxl.md 5.2: numpy's arange arithmetic, pitfall 64
TEST(SigmaGrid, KeepsTheOdditiesOfTrailing) {
  const auto schedule = sdxl_schedule();
  for (const auto rules : {GridRules::euler, GridRules::dpm_solver}) {
    const auto ties = make_grid(schedule, rules, "trailing", 48).timesteps;
    for (const float t : {936.f, 686.f, 436.f, 186.f}) EXPECT_EQ(std::count(ties.begin(), ties.end(), t), 1) << t;
    const auto longer = make_grid(schedule, rules, "trailing", 61);
    EXPECT_EQ(longer.steps(), 62);
    EXPECT_EQ(longer.timesteps.back(), -1);
    EXPECT_EQ(longer.sigmas.size(), 63u);
  }
  int64_t with_one_more = 0;
  for (int64_t steps = 1; steps <= 1000; ++steps)
    with_one_more += make_grid(schedule, GridRules::euler, "trailing", steps).steps() == steps + 1;
  EXPECT_EQ(with_one_more, 62);
}

TEST(SigmaGrid, EndsAtTheLowestSigmaWhenTheConfigSaysSo) {
  auto schedule = sdxl_schedule();
  schedule.config.final_sigmas_type = "sigma_min";
  EXPECT_NEAR(make_grid(schedule, GridRules::euler, "leading", 10).sigmas.back(), .0291675f, 5e-8f);
}

TEST(SigmaGrid, OfEulerAncestralAndHeunEndsAtZeroWhateverTheConfigSays) {
  auto schedule = sdxl_schedule();
  schedule.config.final_sigmas_type = "sigma_min";
  for (const char* sampler : {"euler_ancestral", "heun"})
    EXPECT_EQ(make_grid(schedule, rules_of(sampler), "leading", 10).sigmas.back(), 0) << sampler;
}

TEST(SigmaGrid, RefusesUnknownNamesAndImpossibleCounts) {
  const auto schedule = sdxl_schedule();
  const auto message = [&](GridRules rules, std::string_view name, int64_t steps) -> std::string {
    try {
      make_grid(schedule, rules, name, steps);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message(GridRules::euler, "karas", 10),
            "[schedule] got \"karas\", expected one of leading, linspace, trailing, karras, exponential");
  EXPECT_EQ(message(GridRules::euler, "leading", 0), "[schedule] got 0 steps, expected 1 to 1000");
  EXPECT_EQ(message(GridRules::euler, "leading", 1001), "[schedule] got 1001 steps, expected 1 to 1000");
  EXPECT_EQ(message(GridRules::dpm_solver, "leading", 1000),
            "[schedule] got 1000 steps, expected at most 999 with this sampler on the leading grid");
  EXPECT_EQ(message(GridRules::euler, "leading", 1000), "no error");
}

TEST(SigmaGrid, HasAWebuiNameAndRefusesToNameAnUnknownOne) {
  std::vector<std::string> named;
  for (const auto& grid : grid_names()) named.push_back(grid + ": " + webui_grid_name(grid));
  EXPECT_EQ(named, (std::vector<std::string>{"leading: DDIM", "linspace: Uniform", "trailing: SGM Uniform", "karras: Karras",
                                             "exponential: Exponential"}));
  EXPECT_THROW(webui_grid_name("beta"), Error);
}

}  // namespace negativa::test
