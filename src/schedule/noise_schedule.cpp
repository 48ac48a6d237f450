#include "schedule/noise_schedule.h"

namespace negativa {

namespace {
// The betas of a schedule whose last ᾱ is zero: sqrt(ᾱ) shifted and stretched so that its first value stays.
Tensor rescale_to_zero_snr(const Tensor& betas) {
  auto root = (1.0 - betas).cumprod(0).sqrt();
  const auto first = root[0].clone(), last = root[-1].clone();
  root = (root - last) * (first / (first - last));
  const auto alphas_cumprod = root.square();
  const auto alphas = at::cat({alphas_cumprod.narrow(0, 0, 1), alphas_cumprod.slice(0, 1) / alphas_cumprod.slice(0, 0, -1)});
  return 1.0 - alphas;
}
}  // namespace

NoiseSchedule make_noise_schedule(const SchedulerConfig& config) {
  const bool scaled = config.beta_schedule == "scaled_linear";
  const auto edge = [&](double beta) { return scaled ? std::sqrt(beta) : beta; };
  auto betas = at::linspace(edge(config.beta_start), edge(config.beta_end), config.num_train_timesteps, at::kFloat);
  if (scaled) betas = betas.square();
  if (config.rescale_betas_zero_snr) betas = rescale_to_zero_snr(betas);
  // ATen's cumprod accumulates fp32 in double; a loop over floats would be off by 1e-6.
  auto alphas_cumprod = (1.0 - betas).cumprod(0);
  if (config.rescale_betas_zero_snr) alphas_cumprod[-1].fill_(std::ldexp(1.0, -24));
  return {config, alphas_cumprod, ((1.0 - alphas_cumprod) / alphas_cumprod).sqrt()};
}

bool same_noise_levels(const SchedulerConfig& a, const SchedulerConfig& b) {
  const auto levels = [](const SchedulerConfig& c) {
    return std::tuple(c.beta_start, c.beta_end, c.beta_schedule, c.num_train_timesteps, c.rescale_betas_zero_snr,
                      c.edm.has_value());
  };
  return levels(a) == levels(b);
}

}  // namespace negativa
