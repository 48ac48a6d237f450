#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "schedule/golden.h"

namespace negativa::test {

namespace {
std::string message_of(const std::string& json) {
  try {
    scheduler_config_from_json(json);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::file_format);
    return error.what();
  }
  return "no error";
}
}  // namespace

// torch's square root (sigma) is not correctly rounded and differs by 1 ULP between CPUs; its linspace (alpha) does where a CPU has no fused
// multiply-add. With zero SNR the betas come from roots, whose error (2^-24) grows as their last value is taken away from them: alpha(t) has
// a relative error of twice the error of a root over sqrt(alpha(t)). The roundings of up to 1000 new factors walk at random to 32 of them.
TEST(NoiseSchedule, EqualsDiffusersToOneUlpOrToWhatZeroSnrCancels) {
  constexpr float rounding = 0x1p-24f;
  for (const auto& row : golden().at("noise_schedules")) {
    SCOPED_TRACE(row.at("options").dump());
    const auto schedule = make_noise_schedule(golden_config(row.at("options")));
    const bool zero_snr = schedule.config.rescale_betas_zero_snr;
    ASSERT_EQ(shape_of(schedule.alphas_cumprod), Shape{1000});
    for (size_t k = 0; k < row.at("index").size(); ++k) {
      const int64_t t = row.at("index")[k];
      const float alpha = row.at("alphas_cumprod")[k], sigma = row.at("sigmas")[k];
      const float error = !zero_snr ? 2 * rounding : std::min(32 * rounding + 2 * rounding / std::sqrt(alpha), 1e-4f);  // relative; 1e-4: sdxl.md 5.5
      EXPECT_NEAR(schedule.alphas_cumprod[t].item<float>(), alpha, error * alpha) << t;
      EXPECT_NEAR(schedule.sigmas[t].item<float>(), sigma, std::max(error, 2.5e-7f) * sigma) << t;
    }
    const double sum = row.at("alphas_cumprod_sum");
    EXPECT_NEAR(schedule.alphas_cumprod.to(at::kDouble).sum().item<double>(), sum, zero_snr ? 32 * rounding * sum : 1e-5);
  }
}

// sdxl.md 5.1
TEST(NoiseSchedule, HasThePublishedSigmasOfSdxl) {
  const auto schedule = sdxl_schedule();
  const std::vector<std::pair<int64_t, float>> sigmas = {{0, .02916753f},   {1, .04131448f},   {20, .13799095f},
                                                         {499, 1.6128870f}, {500, 1.6182797f}, {980, 13.043088f},
                                                         {981, 13.120416f}, {999, 14.614647f}};
  for (const auto& [t, sigma] : sigmas) EXPECT_NEAR(schedule.sigmas[t].item<float>(), sigma, 2.5e-7f * sigma) << t;
  EXPECT_NEAR(schedule.alphas_cumprod[999].item<float>(), .00466010f, 1e-8f);
}

TEST(NoiseSchedule, StaysFiniteWithZeroTerminalSnr) {
  const auto schedule = make_noise_schedule(golden_config({{"rescale_betas_zero_snr", true}}));
  EXPECT_NEAR(schedule.sigmas[999].item<float>(), 4096, 0.01);
  EXPECT_TRUE(schedule.sigmas.isfinite().all().item<bool>());
}

TEST(SchedulerConfig, IsReadFromTheBundledModel) {
  std::ifstream file(NEGATIVA_SOURCE_DIR "/models/emoji-xl/scheduler/scheduler_config.json");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto config = scheduler_config_from_json(text);
  EXPECT_EQ(config.beta_start, 0.00085);
  EXPECT_EQ(config.beta_end, 0.012);
  EXPECT_EQ(config.beta_schedule, "scaled_linear");
  EXPECT_EQ(config.steps_offset, 1);
  EXPECT_EQ(default_sampler(config), "euler");
  EXPECT_EQ(default_grid(config), "leading");
}

TEST(SchedulerConfig, TakesTheClassDefaultsForAbsentAndNullKeys) {
  const auto config =
      scheduler_config_from_json(R"({"_class_name": "DPMSolverMultistepScheduler", "trained_betas": null, "beta_end": null})");
  EXPECT_EQ(config.beta_start, 0.0001);
  EXPECT_EQ(config.beta_end, 0.02);
  EXPECT_EQ(config.beta_schedule, "linear");
  EXPECT_EQ(config.num_train_timesteps, 1000);
  EXPECT_EQ(config.steps_offset, 0);
  EXPECT_EQ(config.prediction_type, PredictionType::epsilon);
  EXPECT_TRUE(config.lower_order_final);
  EXPECT_EQ(default_sampler(config), "dpmpp_2m");
  EXPECT_EQ(default_grid(config), "linspace");
}

TEST(SchedulerConfig, AsksForKarrasWhenTheModelDoes) {
  const auto config = scheduler_config_from_json(
      R"({"use_karras_sigmas": true, "timestep_spacing": "trailing", "prediction_type": "v_prediction"})");
  EXPECT_EQ(default_grid(config), "karras");
  EXPECT_EQ(config.timestep_spacing, "trailing");
  EXPECT_EQ(config.prediction_type, PredictionType::v_prediction);
}

TEST(SchedulerConfig, OfAnUnknownClassServesAsAScheduleButNamesNoSampler) {
  const std::string schedule_keys =
      R"("beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "timestep_spacing": "leading")";
  const auto config = scheduler_config_from_json(R"({"_class_name": "DDIMScheduler", )" + schedule_keys + "}");
  EXPECT_EQ(default_grid(config), "leading");
  try {
    default_sampler(config);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_STREQ(
        error.what(),
        "[scheduler_config] got class DDIMScheduler, expected one of EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, "
        "DPMSolverMultistepScheduler; choose with --sampler");
  }
  EXPECT_EQ(message_of(R"({"_class_name": "DDIMScheduler"})"),
            "[scheduler_config] got class DDIMScheduler without beta_start, expected the key or one of the classes whose "
            "defaults are known: "
            "EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, DPMSolverMultistepScheduler");
}

TEST(SchedulerConfig, RefusesWhatItWouldComputeWrongly) {
  EXPECT_EQ(message_of("[1]"), "[scheduler_config] got text that is no JSON object, expected scheduler_config.json");
  EXPECT_EQ(message_of("{"), "[scheduler_config] got text that is no JSON object, expected scheduler_config.json");
  EXPECT_EQ(message_of(R"({"beta_start": "x"})"), "[scheduler_config] got beta_start = \"x\", expected another type of value");
  EXPECT_EQ(message_of(R"({"prediction_type": "sample"})"),
            "[scheduler_config] got prediction_type = \"sample\", expected epsilon or v_prediction");
  EXPECT_EQ(message_of(R"({"beta_schedule": "squaredcos_cap_v2"})"),
            "[scheduler_config] got beta_schedule = \"squaredcos_cap_v2\", expected linear or scaled_linear");
  EXPECT_EQ(message_of(R"({"use_beta_sigmas": true})"),
            "[scheduler_config] got use_beta_sigmas = true, expected false: it is not supported");
  EXPECT_EQ(message_of(R"({"trained_betas": [0.1]})"),
            "[scheduler_config] got a value for trained_betas, expected null: it is not supported");
  EXPECT_EQ(message_of(R"({"_class_name": "DPMSolverMultistepScheduler", "solver_order": 3})"),
            "[scheduler_config] got solver_order = 3, expected 2");
  EXPECT_EQ(
      message_of(R"({"beta_end": 1.5})"),
      "[scheduler_config] got 1000 timesteps with beta 0.0001 to 1.5, expected at least 2 and 0 < beta_start < beta_end < 1");
}

}  // namespace negativa::test
