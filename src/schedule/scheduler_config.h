#pragma once
// A model's scheduler/scheduler_config.json: the noise schedule it was trained with, and how its makers meant it to be sampled.
// Key names and class defaults as in diffusers' schedulers.
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace negativa {

// What the UNet's output means. epsilon: the noise; v: sqrt(ᾱ)·noise - sqrt(1-ᾱ)·x0 (Salimans & Ho 2022, arXiv:2202.00512,
// section 4); sample: x0 itself.
enum class PredictionType { epsilon, v_prediction, sample };
std::string prediction_name(PredictionType type);  // as in scheduler_config.json

// Models trained with the preconditioning of Karras et al. 2022, arXiv:2206.00364, table 1, last column (CosXL, Playground 2.5):
// no betas, and timesteps are ln(sigma) / 4.
struct Edm {
  double sigma_min = 0.002, sigma_max = 80, sigma_data = 0.5, rho = 7;
  std::string sigma_schedule = "karras";  // or exponential
};

struct SchedulerConfig {
  std::string class_name = "EulerDiscreteScheduler";
  double beta_start = 0.0001;
  double beta_end = 0.02;
  std::string beta_schedule = "linear";  // or scaled_linear: the square roots of beta are linear
  int64_t num_train_timesteps = 1000;
  int64_t steps_offset = 0;                   // added to the timesteps of the leading grid
  std::string timestep_spacing = "linspace";  // or leading, trailing: the grid the model's makers had in mind
  std::string final_sigmas_type = "zero";     // or sigma_min: the sigma after the last step
  PredictionType prediction_type = PredictionType::epsilon;
  std::string prediction_source = "default";  // who says so: "scheduler_config.json", "tensor v_pred", "--prediction-type" …
  bool use_karras_sigmas = false, use_exponential_sigmas = false;
  std::optional<double> sigma_min, sigma_max;  // ends of the karras and exponential grids; absent: those of the model's own grid
  bool rescale_betas_zero_snr = false;
  std::string zero_snr_source = "default";
  bool continuous_timesteps = false;  // the UNet is told ln(sigma) / 4 where it predicts v
  double lambda_min_clipped =
      -std::numeric_limits<double>::infinity();  // DPM++: no noise level below this half log signal-to-noise ratio
  bool lower_order_final = true;                 // DPM++: order 1 at the last step of fewer than 15
  bool euler_at_final = false;                   // DPM++: order 1 at the last step always
  std::optional<Edm> edm;                        // then betas, spacing and zero SNR mean nothing

  std::string sampler = "euler";  // what draws for the class
  std::string replacement;        // where that is not the class itself: a line that says so
  std::string sampler_refusal,
      grid_refusal;  // why the config's own sampler or grid cannot be had; a choice of one's own is not concerned
};

// What is asked over what the files say.
struct PredictionRequest {
  std::optional<PredictionType> type;
  std::optional<bool> zero_snr;
};

// Reads the text of scheduler_config.json. Of a class's keys those are read that diffusers' class takes, since from_config leaves
// the keys of others behind; absent ones have the class's defaults. A class that is not known here is one of SDXL's noise
// schedule. Two keys of our own, which diffusers passes over: "_prediction_source", and "_prediction_unclear", why nothing tells
// what the model predicts. Throws ErrorKind::file_format naming `where` and the key, ErrorKind::input for a request that cannot
// be.
SchedulerConfig scheduler_config_from_json(std::string_view text, std::string_view where, const PredictionRequest& asked = {});

// The sampler the config's class stands for, one of sampler_names(). Throws ErrorKind::input for a class that
// none can stand for.
std::string default_sampler(const SchedulerConfig& config);
// The sigma grid the config asks for: "karras", "exponential" or its timestep_spacing. Throws ErrorKind::input for one that is
// not built.
std::string default_grid(const SchedulerConfig& config);

// What the scheduler says of a model that was distilled to few steps, if it does: "an LCMScheduler".
std::optional<std::string> sign_of_distilling(const SchedulerConfig& config);

}  // namespace negativa
