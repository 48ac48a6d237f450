#include "schedule/sampler.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "schedule/samplers.h"

namespace negativa {

namespace {
struct NamedSampler {
  std::string_view name;
  std::unique_ptr<const Sampler> (*make)(const SchedulerConfig&);
};
constexpr NamedSampler samplers[] = {
    {"euler", make_euler},
    {"euler_ancestral", make_euler_ancestral},
    {"dpmpp_2m", make_dpmpp_2m},
};
}  // namespace

std::unique_ptr<const Sampler> make_sampler(std::string_view name, const SchedulerConfig& config) {
  for (const auto& sampler : samplers)
    if (sampler.name == name) return sampler.make(config);
  fail(ErrorKind::input, "[sampler] got \"{}\", expected one of {}", name, fmt::join(sampler_names(), ", "));
}

std::vector<std::string> sampler_names() {
  std::vector<std::string> names;
  for (const auto& sampler : samplers) names.emplace_back(sampler.name);
  return names;
}

float SigmaSpaceSampler::init_noise_sigma(const SigmaGrid& grid) const {
  const float sigma_max = *std::max_element(grid.sigmas.begin(), grid.sigmas.end());
  return grid.spacing == "leading" ? std::sqrt(sigma_max * sigma_max + 1) : sigma_max;
}

Tensor SigmaSpaceSampler::scale_model_input(int64_t index, const SigmaGrid& grid, const Tensor& sample) const {
  const float sigma = grid.sigmas.at(index);
  return sample / std::sqrt(sigma * sigma + 1);
}

Tensor SigmaSpaceSampler::derivative(const SamplerStep& step) const {
  const float sigma = step.grid.sigmas.at(step.index), variance = sigma * sigma + 1;
  const auto sample = step.sample.to(at::kFloat);
  const auto x0 = config_.prediction_type == PredictionType::epsilon
                      ? sample - step.model_output * sigma
                      : step.model_output * (-sigma / std::sqrt(variance)) + sample / variance;
  return (sample - x0) / sigma;
}

}  // namespace negativa
