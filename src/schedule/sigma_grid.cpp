#include "schedule/sigma_grid.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace negativa {

namespace {
using Doubles = std::vector<double>;

// A grid in the making. Double as in numpy; rounded to fp32 once at the end.
struct Points {
  std::string spacing;
  Doubles timesteps, sigmas;
};

struct Request {
  const NoiseSchedule& schedule;
  GridRules rules;
  int64_t steps;

  int64_t train_steps() const { return schedule.config.num_train_timesteps; }
  double table(int64_t t) const { return schedule.sigmas.data_ptr<float>()[t]; }
};

// numpy's linspace: the last point is exact.
Doubles linspace(double start, double stop, int64_t count) {
  Doubles points(count);
  const double step = count > 1 ? (stop - start) / static_cast<double>(count - 1) : 0;
  for (int64_t i = 0; i < count; ++i) points[i] = start + step * static_cast<double>(i);
  if (count > 1) points.back() = stop;
  return points;
}

double sigma_at(const Request& request, double t) {
  const auto last = request.train_steps() - 1;
  if (t <= 0) return request.table(0);
  if (t >= static_cast<double>(last)) return request.table(last);
  const auto low = static_cast<int64_t>(t);
  const double slope = request.table(low + 1) - request.table(low);
  return slope * (t - static_cast<double>(low)) + request.table(low);
}

Points with_table_sigmas(const Request& request, const char* spacing, Doubles timesteps) {
  Points points{spacing, std::move(timesteps), {}};
  for (double t : points.timesteps) points.sigmas.push_back(sigma_at(request, t));
  return points;
}

Points leading(const Request& request) {
  const int64_t dropped = request.rules == GridRules::dpm_solver ? 1 : 0;
  const int64_t count = request.steps + dropped, stride = request.train_steps() / count;
  check(stride > 0, ErrorKind::input, "[schedule] got {} steps, expected at most {} with this sampler on the leading grid",
        request.steps, request.train_steps() - dropped);
  Doubles timesteps;
  for (int64_t i = count - 1; i >= dropped; --i)
    timesteps.push_back(static_cast<double>(i * stride + request.schedule.config.steps_offset));
  return with_table_sigmas(request, "leading", timesteps);
}

Points linspaced(const Request& request) {
  const bool dpm_solver = request.rules == GridRules::dpm_solver;
  auto timesteps = linspace(0, static_cast<double>(request.train_steps() - 1), request.steps + (dpm_solver ? 1 : 0));
  std::reverse(timesteps.begin(), timesteps.end());
  if (dpm_solver) timesteps.pop_back();
  for (double& t : timesteps) t = dpm_solver ? std::nearbyint(t) : static_cast<float>(t);
  return with_table_sigmas(request, "linspace", timesteps);
}

// round(arange(T, 0, -T/N)) - 1 in numpy's arithmetic: its detour through delta decides ties (N = 48), its count may be N + 1 (N
// = 61).
Points trailing(const Request& request) {
  const auto start = static_cast<double>(request.train_steps());
  const double step = -start / static_cast<double>(request.steps);
  const auto count = static_cast<int64_t>(std::ceil(-start / step));
  const double delta = (start + step) - start;
  Doubles timesteps;
  for (int64_t i = 0; i < count; ++i) timesteps.push_back(std::nearbyint(start + static_cast<double>(i) * delta) - 1);
  return with_table_sigmas(request, "trailing", timesteps);
}

// The timestep whose sigma this is: interpolation of log sigma over the table.
double timestep_of(const Tensor& log_sigmas, double sigma) {
  const float* table = log_sigmas.data_ptr<float>();
  const int64_t size = log_sigmas.numel();
  const double log_sigma = std::log(std::max(sigma, 1e-10));
  const int64_t above = std::upper_bound(table, table + size, log_sigma) - table;
  const int64_t low = std::clamp<int64_t>(above - 1, 0, size - 2);
  const double w = std::clamp((table[low] - log_sigma) / (table[low] - table[low + 1]), 0.0, 1.0);
  return (1 - w) * static_cast<double>(low) + w * static_cast<double>(low + 1);
}

Points grid_points(const Request& request, std::string_view name);

Points karras(const Request& request) {
  Points points{request.schedule.config.timestep_spacing, {}, {}};
  const bool dpm_solver = request.rules == GridRules::dpm_solver;
  double sigma_max = request.table(request.train_steps() - 1), sigma_min = request.table(0);
  if (!dpm_solver) {
    const auto own = grid_points(request, points.spacing);
    sigma_max = own.sigmas.front(), sigma_min = own.sigmas.back();
  }
  const double rho = 7, max_root = std::pow(sigma_max, 1 / rho), min_root = std::pow(sigma_min, 1 / rho);
  const auto log_sigmas = request.schedule.sigmas.log();
  for (double ramp : linspace(0, 1, request.steps)) {
    const double sigma = std::pow(max_root + ramp * (min_root - max_root), rho), t = timestep_of(log_sigmas, sigma);
    points.sigmas.push_back(sigma);
    points.timesteps.push_back(dpm_solver ? std::nearbyint(t) : t);
  }
  return points;
}

struct NamedGrid {
  std::string_view name;
  Points (*make)(const Request&);
};
constexpr NamedGrid grids[] = {{"leading", leading}, {"linspace", linspaced}, {"trailing", trailing}, {"karras", karras}};

Points grid_points(const Request& request, std::string_view name) {
  for (const auto& grid : grids)
    if (grid.name == name) return grid.make(request);
  fail(ErrorKind::input, "[schedule] got \"{}\", expected one of {}", name, fmt::join(grid_names(), ", "));
}
}  // namespace

SigmaGrid make_grid(const NoiseSchedule& schedule, GridRules rules, std::string_view name, int64_t steps) {
  const Request request{schedule, rules, steps};
  check(steps >= 1 && steps <= request.train_steps(), ErrorKind::input, "[schedule] got {} steps, expected 1 to {}", steps,
        request.train_steps());
  const auto points = grid_points(request, name);
  SigmaGrid grid{
      {points.timesteps.begin(), points.timesteps.end()}, {points.sigmas.begin(), points.sigmas.end()}, points.spacing};
  grid.sigmas.push_back(schedule.config.final_sigmas_type == "sigma_min" ? static_cast<float>(request.table(0)) : 0.f);
  return grid;
}

std::vector<std::string> grid_names() {
  std::vector<std::string> names;
  for (const auto& grid : grids) names.emplace_back(grid.name);
  return names;
}

}  // namespace negativa
