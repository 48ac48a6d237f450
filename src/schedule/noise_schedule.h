#pragma once
// The noise schedule a model was trained with.
#include "core/tensor.h"
#include "schedule/scheduler_config.h"

namespace negativa {

struct NoiseSchedule {
  SchedulerConfig config;
  Tensor alphas_cumprod;  // [num_train_timesteps] fp32, ᾱ: x_t = sqrt(ᾱ)·x0 + sqrt(1-ᾱ)·noise (Ho et al. 2020, arXiv:2006.11239,
                          // eq. 4)
  Tensor sigmas;  // [num_train_timesteps] fp32, sqrt((1-ᾱ)/ᾱ), rising: noise std when x0 is not scaled down
};

// With zero terminal SNR (Lin et al. 2023, arXiv:2305.08891, algorithm 1) the last ᾱ is 2^-24, so that sigma stays finite (4096).
NoiseSchedule make_noise_schedule(const SchedulerConfig& config);

// Whether a noise level means the same to models of these two: one may go on where the other stopped.
bool same_noise_levels(const SchedulerConfig& a, const SchedulerConfig& b);

}  // namespace negativa
