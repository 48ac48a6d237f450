#pragma once
// Which steps the base model runs and which the refiner, of one grid that both share.
#include "schedule/sigma_grid.h"

namespace negativa {

struct StepRange {
  int64_t begin, end;  // steps [begin, end) of the grid
  int64_t size() const { return end - begin; }
};

struct Split {
  StepRange base, refiner;  // together the whole grid; either may be empty
};

// refiner_start: progress in training timesteps at which the refiner takes over (diffusers' denoising_end and denoising_start),
// inside (0,1). Cutoff = round_half_even(T - refiner_start·T): the base keeps timesteps >= cutoff. The base's last step ends at
// the refiner's first sigma, so its latents are handed over as they are: no noise added, nothing rescaled. Throws
// ErrorKind::input outside (0,1).
Split split_steps(const SigmaGrid& grid, double refiner_start, int64_t num_train_timesteps);

}  // namespace negativa
