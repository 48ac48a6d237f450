#include "schedule/sigma_grid.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "schedule/names.h"

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

  const SchedulerConfig& config() const { return schedule.config; }
  bool is_dpm_solver() const { return rules == GridRules::dpm_solver; }
  int64_t train_steps() const { return config().num_train_timesteps; }
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

// How many timesteps of the table a run may visit: DPM-Solver clips those of too little signal.
int64_t visited_steps(const Request& request) {
  const double least = request.config().lambda_min_clipped;
  if (!request.is_dpm_solver() || std::isinf(least)) return request.train_steps();
  const auto& alphas = request.schedule.alphas_cumprod;
  const auto lambda = (alphas.sqrt().log() - (1.0 - alphas).sqrt().log()).contiguous();  // falling
  const float* begin = lambda.data_ptr<float>();
  const auto visited =
      std::partition_point(begin, begin + lambda.numel(), [&](float value) { return value >= static_cast<float>(least); }) -
      begin;
  check(visited > 0, ErrorKind::input, "[schedule] lambda_min_clipped {} leaves no timestep", least);
  return visited;
}

Points leading(const Request& request) {
  const int64_t dropped = request.is_dpm_solver() ? 1 : 0, visited = visited_steps(request);
  const int64_t count = request.steps + dropped, stride = visited / count;
  check(stride > 0, ErrorKind::input, "[schedule] got {} steps, expected at most {} with this sampler on the leading grid",
        request.steps, visited - dropped);
  Doubles timesteps;
  for (int64_t i = count - 1; i >= dropped; --i)
    timesteps.push_back(static_cast<double>(i * stride + request.schedule.config.steps_offset));
  return with_table_sigmas(request, "leading", timesteps);
}

Points linspaced(const Request& request) {
  const bool dpm_solver = request.is_dpm_solver();
  auto timesteps = linspace(0, static_cast<double>(visited_steps(request) - 1), request.steps + (dpm_solver ? 1 : 0));
  std::reverse(timesteps.begin(), timesteps.end());
  if (dpm_solver) timesteps.pop_back();
  for (double& t : timesteps) t = dpm_solver ? std::nearbyint(t) : static_cast<float>(t);
  return with_table_sigmas(request, "linspace", timesteps);
}

// round(arange(T, 0, -T/N)) - 1 in numpy's arithmetic: its detour through delta decides ties (N = 48), its count may be N + 1 (N
// = 61).
Points trailing(const Request& request) {
  const auto start = static_cast<double>(visited_steps(request));
  const double step = -static_cast<double>(request.train_steps()) / static_cast<double>(request.steps);
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

struct Ends {
  double sigma_max, sigma_min;
};

Ends ends_of(const Request& request) {
  const auto& config = request.config();
  if (config.edm) return {config.edm->sigma_max, config.edm->sigma_min};
  if (request.is_dpm_solver()) return {request.table(request.train_steps() - 1), request.table(0)};
  const auto own = grid_points(request, config.timestep_spacing);
  return {config.sigma_max.value_or(own.sigmas.front()), config.sigma_min.value_or(own.sigmas.back())};
}

Points with_table_timesteps(const Request& request, Doubles sigmas, double (*round)(double)) {
  Points points{request.config().timestep_spacing, {}, std::move(sigmas)};
  if (request.config().edm) return points;
  const auto log_sigmas = request.schedule.sigmas.log();
  for (double sigma : points.sigmas) {
    const double t = timestep_of(log_sigmas, sigma);
    points.timesteps.push_back(request.is_dpm_solver() ? round(t) : t);
  }
  return points;
}

Points karras(const Request& request) {
  const auto [sigma_max, sigma_min] = ends_of(request);
  const double rho = request.config().edm ? request.config().edm->rho : 7, max_root = std::pow(sigma_max, 1 / rho),
               min_root = std::pow(sigma_min, 1 / rho);
  Doubles sigmas;
  for (double ramp : linspace(0, 1, request.steps)) sigmas.push_back(std::pow(max_root + ramp * (min_root - max_root), rho));
  return with_table_timesteps(request, std::move(sigmas), [](double t) { return std::nearbyint(t); });
}

Points exponential(const Request& request) {
  const auto [sigma_max, sigma_min] = ends_of(request);
  Doubles sigmas = linspace(std::log(sigma_max), std::log(sigma_min), request.steps);
  for (double& sigma : sigmas) sigma = std::exp(sigma);
  return with_table_timesteps(request, std::move(sigmas), [](double t) { return std::trunc(t); });
}

struct NamedGrid {
  std::string_view name, webui_name;
  Points (*make)(const Request&);
};
constexpr NamedGrid grids[] = {
    {"leading", "DDIM", leading}, {"linspace", "Uniform", linspaced},          {"trailing", "SGM Uniform", trailing},
    {"karras", "Karras", karras}, {"exponential", "Exponential", exponential},
};

const NamedGrid& named(std::string_view name) {
  for (const auto& grid : grids)
    if (grid.name == name) return grid;
  fail(ErrorKind::input, "[schedule] got \"{}\", expected one of {}", name, fmt::join(grid_names(), ", "));
}

Points grid_points(const Request& request, std::string_view name) { return named(name).make(request); }

float final_sigma(const Request& request, float last) {
  if (request.config().final_sigmas_type != "sigma_min" || request.rules == GridRules::euler_to_zero) return 0;
  return request.config().edm ? last : static_cast<float>(request.table(0));
}
}  // namespace

SigmaGrid make_grid(const NoiseSchedule& schedule, GridRules rules, std::string_view name, int64_t steps) {
  const Request request{schedule, rules, steps};
  check(steps >= 1 && steps <= request.train_steps(), ErrorKind::input, "[schedule] got {} steps, expected 1 to {}", steps,
        request.train_steps());
  check(!schedule.config.edm || name == "karras" || name == "exponential", ErrorKind::input,
        "[schedule] got \"{}\" for a model of EDM's preconditioning, which has no table of timesteps; try --schedule karras or "
        "exponential",
        name);
  const auto points = grid_points(request, name);
  SigmaGrid grid{
      {points.timesteps.begin(), points.timesteps.end()}, {points.sigmas.begin(), points.sigmas.end()}, points.spacing};
  if (has_continuous_timesteps(schedule.config)) {
    grid.timesteps.clear();
    for (float sigma : grid.sigmas) grid.timesteps.push_back(0.25f * std::log(sigma));
  }
  grid.sigmas.push_back(final_sigma(request, grid.sigmas.back()));
  return grid;
}

bool has_continuous_timesteps(const SchedulerConfig& config) {
  return config.edm || (config.continuous_timesteps && config.prediction_type == PredictionType::v_prediction);
}

std::string webui_grid_name(std::string_view grid) { return std::string(named(grid).webui_name); }

std::vector<std::string> grid_names() {
  std::vector<std::string> names;
  for (const auto& grid : grids) names.emplace_back(grid.name);
  return names;
}

}  // namespace negativa
