#include <gtest/gtest.h>

#include <cmath>

#include "schedule/golden.h"

namespace negativa::test {

namespace {
// The same stand-in for a UNet as in tools/goldens_schedule.py.
Tensor stub_model(const Tensor& x, float t) { return x * 0.3f + 0.2f * std::sin(t / 100); }

Predict predict_with(const Sampler& sampler) {
  return [&](const Tensor& sample, const NoiseLevel& level) {
    return stub_model(sampler.scale_model_input(level.sigma, sample), level.timestep);
  };
}

struct Run {
  const NoiseSchedule& schedule;
  const Sampler& sampler;
  const SigmaGrid& grid;
  int64_t first = 0;
};

std::vector<Tensor> latents_after_each_step(const Run& run, Tensor latents, Generator& generator) {
  std::vector<Tensor> all;
  SamplerState state;
  for (int64_t i = run.first; i < run.grid.steps(); ++i)
    all.push_back(latents = run.sampler.step({i, run.grid, latents}, predict_with(run.sampler), generator, state));
  return all;
}

float largest(const Tensor& x) { return x.abs().max().item<float>(); }

void expect_close(const Tensor& got, const Tensor& expected, float relative_error) {
  EXPECT_LT(largest(got - expected), relative_error * largest(expected));
}

// From a sigma of 4096 the first step takes away all but a hundredth of the latents, so the rounding of the start, at most 2 ULP
// apart between CPUs (torch's square root, see noise_schedule_test.cpp), weighs that much more in what is left and in all that
// follows.
float error_of_cancellation(const Tensor& start, const Tensor& after_first_step) {
  return 0x1p-22f * largest(start) / largest(after_first_step);
}
}  // namespace

TEST(Sampler, FollowsDiffusersTrajectoriesAndItsDraws) {
  const Shape shape = {1, 4, 2, 3};
  for (const auto& row : golden().at("trajectories")) {
    SCOPED_TRACE(label_of(row));
    const auto schedule = make_noise_schedule(golden_config(row.at("options"), row.at("sampler")));
    const auto sampler = make_sampler(row.at("sampler").get<std::string>(), schedule.config);
    const auto grid = make_grid(schedule, sampler->grid_rules(), row.at("grid").get<std::string>(), row.at("steps"));
    Generator generator(7);
    const auto start = generator.randn(shape) * sampler->init_noise_sigma(grid);
    const auto& expected = row.at("latents");
    const auto expected_latents = [&](size_t k) { return tensor_of(expected[k], shape); };
    const float error = std::max(1e-6f, error_of_cancellation(expected_latents(0), expected_latents(1)));
    expect_close(start, expected_latents(0), 1e-6f);
    const auto latents = latents_after_each_step({schedule, *sampler, grid, row.at("first")}, start, generator);
    for (int k = 0; k < 3; ++k) expect_close(latents[k], expected_latents(k + 1), error);
    expect_close(latents.back(), expected_latents(expected.size() - 1), error);
    EXPECT_FLOAT_EQ(generator.randn({16})[0].item<float>(), row.at("next_draw").get<float>());
  }
}

// sdxl.md 5.6: one number, started at 1.5·init_noise_sigma, N = 10
TEST(Sampler, FollowsThePublishedToyTrajectories) {
  struct Toy {
    const char *sampler, *grid, *prediction;
    std::vector<float> first, last;  // after steps 1, 2, 3 and after the last two
  };
  const std::vector<Toy> toys = {
      {"euler", "leading", "epsilon", {10.947341f, 9.472596f, 8.474391f}, {5.501737f, 5.433522f}},
      {"euler", "karras", "epsilon", {11.129477f, 9.548207f, 8.293176f}, {5.566202f, 5.497189f}},
      {"euler", "leading", "v_prediction", {7.620576f, 4.848938f, 3.280327f}, {.788540f, .777357f}},
      {"dpmpp_2m", "leading", "epsilon", {2.025345f, 2.514442f, 3.061084f}, {5.379164f, 5.080500f}},
      {"dpmpp_2m", "karras", "epsilon", {2.193059f, 3.015831f, 4.099283f}, {7.494641f, 7.432249f}},
  };
  for (const auto& toy : toys) {
    SCOPED_TRACE(std::string(toy.sampler) + " " + toy.grid + " " + toy.prediction);
    const auto schedule = make_noise_schedule(golden_config({{"prediction_type", toy.prediction}}));
    const auto sampler = make_sampler(toy.sampler, schedule.config);
    const auto grid = make_grid(schedule, sampler->grid_rules(), toy.grid, 10);
    Generator unused(0);
    const auto start = at::full({1}, 1.5f * sampler->init_noise_sigma(grid));
    const auto latents = latents_after_each_step({schedule, *sampler, grid}, start, unused);
    for (size_t k = 0; k < toy.first.size(); ++k) EXPECT_NEAR(latents[k].item<float>(), toy.first[k], 1e-6f * toy.first[k]) << k;
    for (size_t k = 0; k < 2; ++k) EXPECT_NEAR(latents[8 + k].item<float>(), toy.last[k], 1e-6f * toy.last[k]) << k;
  }
}

TEST(Sampler, KeepsTheDtypeOfTheModelOutput) {
  const auto schedule = sdxl_schedule();
  for (const auto& name : sampler_names()) {
    const auto sampler = make_sampler(name, schedule.config);
    const auto grid = make_grid(schedule, sampler->grid_rules(), "leading", 4);
    Generator generator(0);
    const auto sample = generator.randn({1, 4, 8, 8}).to(at::kBFloat16);
    SamplerState state;
    const Predict predict = [](const Tensor& x, const NoiseLevel&) { return (x * 0.5f).to(at::kBFloat16); };
    const auto next = sampler->step({0, grid, sample}, predict, generator, state);
    EXPECT_EQ(next.scalar_type(), at::kBFloat16) << name;
    EXPECT_EQ(sampler->scale_model_input(grid.sigmas[0], sample).scalar_type(), at::kBFloat16) << name;
  }
}

TEST(Sampler, IsPureSoThatAStepRepeatsItself) {
  const auto schedule = sdxl_schedule();
  for (const auto& name : sampler_names()) {
    const auto sampler = make_sampler(name, schedule.config);
    const auto grid = make_grid(schedule, sampler->grid_rules(), "leading", 10);
    const auto sample = Generator(1).randn({1, 4, 8, 8}), untouched = sample.clone();
    SamplerState before;
    Generator unused(2);
    sampler->step({3, grid, sample * 2}, predict_with(*sampler), unused, before);
    const auto once = [&](SamplerState state) {
      Generator generator(3);
      return sampler->step({4, grid, sample}, predict_with(*sampler), generator, state);
    };
    EXPECT_TRUE(at::equal(once(before), once(before))) << name;
    EXPECT_TRUE(at::equal(sample, untouched)) << name;
  }
}

TEST(Sampler, AsksForAsManyPredictionsAsItSaysAtNoiseLevelsOfTheGrid) {
  const auto schedule = sdxl_schedule();
  for (const auto& name : sampler_names()) {
    const auto sampler = make_sampler(name, schedule.config);
    const auto grid = make_grid(schedule, sampler->grid_rules(), "leading", 4);
    Generator generator(0);
    auto latents = generator.randn({1, 4, 2, 2});
    SamplerState state;
    std::vector<int64_t> asked;
    for (int64_t i = 0; i < grid.steps(); ++i) {
      int64_t count = 0;
      const Predict predict = [&](const Tensor& sample, const NoiseLevel& level) {
        EXPECT_EQ(level.sigma, grid.sigmas[i + count]) << name;
        EXPECT_EQ(level.timestep, grid.timesteps[i + count++]) << name;
        return sample * 0.5f;
      };
      latents = sampler->step({i, grid, latents}, predict, generator, state);
      EXPECT_EQ(count, sampler->predictions(i, grid)) << name;
      asked.push_back(count);
    }
    EXPECT_EQ(asked, name == "heun" ? (std::vector<int64_t>{2, 2, 2, 1}) : (std::vector<int64_t>{1, 1, 1, 1})) << name;
  }
}

// With x0 = x/(1 + sigma²), the best guess for a standard normal x0, x grows as sqrt(1 + sigma²).
TEST(Sampler, OfSecondOrderHasAQuarterOfTheErrorWithHalfTheStride) {
  const auto schedule = sdxl_schedule();
  const Predict predict = [](const Tensor& x, const NoiseLevel& level) {  // the noise that this x0 leaves
    return x * (level.sigma / (1 + level.sigma * level.sigma));
  };
  const auto error = [&](const char* name, int64_t steps) {
    const auto sampler = make_sampler(name, schedule.config);
    const auto grid = make_grid(schedule, sampler->grid_rules(), "karras", steps);
    const auto exact = [&](int64_t i) { return std::hypot(1.0, grid.sigmas[i]); };
    auto x = at::full({1}, exact(0), at::kFloat);
    Generator unused(0);
    SamplerState state;
    const int64_t last = grid.steps() - 1;  // the step to sigma 0 is Euler's in both
    for (int64_t i = 0; i < last; ++i) x = sampler->step({i, grid, x}, predict, unused, state);
    return std::abs(x.item<double>() - exact(last));
  };
  EXPECT_NEAR(error("euler", 20) / error("euler", 40), 2, 0.3);
  EXPECT_NEAR(error("heun", 20) / error("heun", 40), 4, 0.6);
}

TEST(Sampler, HasAWebuiNameAndRefusesToNameAnUnknownOne) {
  std::vector<std::string> named;
  for (const auto& sampler : sampler_names()) named.push_back(sampler + ": " + webui_sampler_name(sampler));
  EXPECT_EQ(named, (std::vector<std::string>{"euler: Euler", "euler_ancestral: Euler a", "dpmpp_2m: DPM++ 2M", "heun: Heun"}));
  EXPECT_THROW(webui_sampler_name("ddim"), Error);
}

TEST(Sampler, RefusesAnUnknownNameAndListsTheKnown) {
  try {
    make_sampler("ddim", SchedulerConfig{});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_STREQ(error.what(), "[sampler] got \"ddim\", expected one of euler, euler_ancestral, dpmpp_2m, heun");
  }
}

}  // namespace negativa::test
