#include "schedule/sampler.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "schedule/samplers.h"

namespace negativa {

namespace {
struct NamedSampler {
  std::string_view name, webui_name;
  MakeSampler* make;
};
constexpr NamedSampler samplers[] = {
    {"euler", "Euler", make_euler},
    {"euler_ancestral", "Euler a", make_euler_ancestral},
    {"dpmpp_2m", "DPM++ 2M", make_dpmpp_2m},
    {"heun", "Heun", make_heun},
};

const NamedSampler& named(std::string_view name) {
  for (const auto& sampler : samplers)
    if (sampler.name == name) return sampler;
  fail(ErrorKind::input, "[sampler] got \"{}\", expected one of {}", name, fmt::join(sampler_names(), ", "));
}
}  // namespace

std::unique_ptr<const Sampler> make_sampler(std::string_view name, const SchedulerConfig& config) {
  return named(name).make(config);
}

std::string webui_sampler_name(std::string_view sampler) { return std::string(named(sampler).webui_name); }

std::vector<std::string> sampler_names() {
  std::vector<std::string> names;
  for (const auto& sampler : samplers) names.emplace_back(sampler.name);
  return names;
}

Tensor edm_model_input(const Edm& edm, float sigma, const Tensor& sample) {
  const auto data = static_cast<float>(edm.sigma_data);
  return sample * (1 / std::sqrt(sigma * sigma + data * data));
}

Tensor edm_x0(const SchedulerConfig& config, float sigma, const Tensor& sample, const Tensor& model_output) {
  const auto data = static_cast<float>(config.edm->sigma_data), variance = sigma * sigma + data * data;
  const float sign = config.prediction_type == PredictionType::v_prediction ? -1 : 1;
  return sample * (data * data / variance) + model_output * (sign * sigma * data / std::sqrt(variance));
}

float edm_init_noise_sigma(const Edm& edm) { return static_cast<float>(std::sqrt(edm.sigma_max * edm.sigma_max + 1)); }

float SigmaSpaceSampler::init_noise_sigma(const SigmaGrid& grid) const {
  if (config_.edm) return edm_init_noise_sigma(*config_.edm);
  const float sigma_max = *std::max_element(grid.sigmas.begin(), grid.sigmas.end());
  return grid.spacing == "leading" ? std::sqrt(sigma_max * sigma_max + 1) : sigma_max;
}

Tensor SigmaSpaceSampler::scale_model_input(float sigma, const Tensor& sample) const {
  if (config_.edm) return edm_model_input(*config_.edm, sigma, sample);
  return sample / std::sqrt(sigma * sigma + 1);
}

Tensor SigmaSpaceSampler::x0(float sigma, const Tensor& sample, const Tensor& prediction) const {
  if (config_.edm) return edm_x0(config_, sigma, sample, prediction);
  if (config_.prediction_type == PredictionType::epsilon) return sample - prediction * sigma;
  if (config_.prediction_type == PredictionType::sample) return prediction;
  const float variance = sigma * sigma + 1;
  return prediction * (-sigma / std::sqrt(variance)) + sample / variance;
}

Tensor SigmaSpaceSampler::derivative(float sigma, const Tensor& sample, const Tensor& model_output) const {
  return (sample - x0(sigma, sample, model_output)) / sigma;
}

}  // namespace negativa
