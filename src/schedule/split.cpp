#include "schedule/split.h"

#include <algorithm>
#include <cmath>

namespace negativa {

Split split_steps(const SigmaGrid& grid, double refiner_start, int64_t num_train_timesteps) {
  check(refiner_start > 0 && refiner_start < 1, ErrorKind::input,
        "[refiner-start] got {}, expected a number between 0 and 1, both excluded; leave the refiner away to run the base alone",
        refiner_start);
  const auto train_steps = static_cast<double>(num_train_timesteps);
  const double cutoff = std::nearbyint(train_steps - refiner_start * train_steps);
  const int64_t first = std::count_if(grid.timesteps.begin(), grid.timesteps.end(), [&](float t) { return t >= cutoff; });
  return {{0, first}, {first, grid.steps()}};
}

}  // namespace negativa
