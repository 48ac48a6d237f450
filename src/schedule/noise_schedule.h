#pragma once
// The noise schedule a model was trained with, as its scheduler/scheduler_config.json describes it.
// Key names and class defaults as in diffusers' schedulers.
#include "core/tensor.h"

namespace negativa {

// What the UNet's output means. epsilon: the noise; v: sqrt(ᾱ)·noise - sqrt(1-ᾱ)·x0 (Salimans & Ho 2022, arXiv:2202.00512,
// section 4).
enum class PredictionType { epsilon, v_prediction };

struct SchedulerConfig {
  std::string class_name = "EulerDiscreteScheduler";
  double beta_start = 0.0001;
  double beta_end = 0.02;
  std::string beta_schedule = "linear";  // or scaled_linear: the square roots of beta are linear
  int64_t num_train_timesteps = 1000;
  int64_t steps_offset = 0;                   // added to the timesteps of the leading grid
  std::string timestep_spacing = "linspace";  // or leading, trailing: the grid the model's makers had in mind
  std::string interpolation_type = "linear";  // of sigma between timesteps; nothing else is supported
  std::string final_sigmas_type = "zero";     // or sigma_min: the sigma after the last step
  PredictionType prediction_type = PredictionType::epsilon;
  bool use_karras_sigmas = false;
  bool rescale_betas_zero_snr = false;
  bool lower_order_final = true;  // DPM++: order 1 at the last step of fewer than 15
  bool euler_at_final = false;    // DPM++: order 1 at the last step always
};

// Reads the text of scheduler_config.json; keys that no schedule depends on are ignored. Absent keys take the defaults of the
// class; of a class that is not known here, keys the noise schedule needs must be present. Throws ErrorKind::file_format naming
// the key.
SchedulerConfig scheduler_config_from_json(std::string_view text);

// The sampler the config's class stands for: "euler", "euler_ancestral" or "dpmpp_2m". Throws ErrorKind::input for another class.
std::string default_sampler(const SchedulerConfig& config);
// The sigma grid the config asks for: "karras" or its timestep_spacing.
std::string default_grid(const SchedulerConfig& config);

struct NoiseSchedule {
  SchedulerConfig config;
  Tensor alphas_cumprod;  // [num_train_timesteps] fp32, ᾱ: x_t = sqrt(ᾱ)·x0 + sqrt(1-ᾱ)·noise (Ho et al. 2020, arXiv:2006.11239,
                          // eq. 4)
  Tensor sigmas;  // [num_train_timesteps] fp32, sqrt((1-ᾱ)/ᾱ), rising: noise std when x0 is not scaled down
};

// With zero terminal SNR (Lin et al. 2023, arXiv:2305.08891, algorithm 1) the last ᾱ is 2^-24, so that sigma stays finite (4096).
NoiseSchedule make_noise_schedule(const SchedulerConfig& config);

}  // namespace negativa
