#pragma once
// Sigma grids: which noise levels a run of N steps visits. One function a grid in the .cpp, one line a grid in its table.
#include "schedule/noise_schedule.h"

namespace negativa {

// Where on the way from noise to picture latents are.
struct NoiseLevel {
  float sigma;     // the noise's standard deviation, latents being x0 + sigma·noise
  float timestep;  // what the UNet is told
};

struct SigmaGrid {
  std::vector<float>
      timesteps;  // N, as fed to the UNet (0-999, may be fractional; has_continuous_timesteps: ln(sigma) / 4), falling
  std::vector<float> sigmas;  // N + 1; step i goes from sigmas[i] to sigmas[i + 1]; the last is 0 (config final_sigmas_type)
  std::string spacing;        // leading, linspace or trailing; of karras and exponential the model's own, whose ends they take

  NoiseLevel level(int64_t index) const {  // of step `index`'s beginning
    return {sigmas.at(static_cast<size_t>(index)), timesteps.at(static_cast<size_t>(index))};
  }
  int64_t steps() const { return static_cast<int64_t>(timesteps.size()); }
};

// diffusers' Euler and DPM-Solver classes place grids of one name differently; the sampler says which rules it follows.
//
// euler: leading has N points a whole stride apart; linspace is fractional; karras lies between the ends of the model's own
// spacing, fractional. euler_to_zero: the same, but always down to sigma 0.
//
// dpm_solver: leading and linspace are N + 1 points without the lowest, whole; karras lies between the ends of the whole table,
// whole. exponential likewise, rounded down.
enum class GridRules { euler, euler_to_zero, dpm_solver };

// leading, linspace, trailing: "Common Diffusion Noise Schedules and Sample Steps are Flawed", arXiv:2305.08891, table 2.
// karras: Karras et al. 2022, arXiv:2206.00364, eq. 5 with rho 7. exponential: a straight line in log sigma.
// A model of EDM's preconditioning has these two, between its own ends; its timesteps are ln(sigma) / 4.
// Equal to set_timesteps of diffusers 0.42.1, also where trailing gives N + 1 timesteps ending in -1 (N = 61, 103, 121 …).
// (diffusers has no Euler ancestral with karras or exponential; here it takes Euler's.) Throws ErrorKind::input for an unknown
// name or steps out of range.
SigmaGrid make_grid(const NoiseSchedule& schedule, GridRules rules, std::string_view name, int64_t steps);

// The UNet is told ln(sigma) / 4 instead of 0-999.
bool has_continuous_timesteps(const SchedulerConfig& config);

}  // namespace negativa
