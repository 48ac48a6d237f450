#include <gtest/gtest.h>

#include <cmath>

#include "schedule/golden.h"

namespace negativa::test {

// torch's square root (sigma) is not correctly rounded and differs by 1 ULP between CPUs; its linspace (alpha) does where a CPU
// has no fused multiply-add. With zero SNR the betas come from roots, whose error (2^-24) grows as their last value is taken away
// from them: alpha(t) has a relative error of twice the error of a root over sqrt(alpha(t)). The roundings of up to 1000 new
// factors walk at random to 32 of them.
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
      const float error = !zero_snr
                              ? 2 * rounding
                              : std::min(32 * rounding + 2 * rounding / std::sqrt(alpha), 1e-4f);  // relative; 1e-4: sdxl.md 5.5
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

}  // namespace negativa::test
