#pragma once
// What the sampler files share; only they and sampler.cpp include it.
#include "schedule/sampler.h"

namespace negativa {

using MakeSampler = std::unique_ptr<const Sampler>(const SchedulerConfig& config);
MakeSampler make_euler, make_euler_ancestral, make_dpmpp_2m, make_heun;  // each in its file

// EDM's preconditioning (schedule/scheduler_config.h): what the UNet is given, and the x0 that its output stands for. fp32.
Tensor edm_model_input(const Edm& edm, float sigma, const Tensor& sample);
Tensor edm_x0(const SchedulerConfig& config, float sigma, const Tensor& sample, const Tensor& model_output);
float edm_init_noise_sigma(const Edm& edm);

// Samplers whose latents are x0 + sigma·noise ("variance exploding"): what Euler, its ancestral form and Heun have in common.
class SigmaSpaceSampler : public Sampler {
 public:
  explicit SigmaSpaceSampler(const SchedulerConfig& config) : config_(config) {}
  GridRules grid_rules() const override { return GridRules::euler; }
  float init_noise_sigma(const SigmaGrid& grid) const override;
  Tensor scale_model_input(float sigma, const Tensor& sample) const override;
  Tensor x0(float sigma, const Tensor& sample, const Tensor& prediction) const override;

 protected:
  // dx/dsigma of the probability-flow ODE, (x - x0)/sigma, fp32 (Karras et al. 2022, arXiv:2206.00364, eq. 1 with sigma(t) = t).
  Tensor derivative(float sigma, const Tensor& sample, const Tensor& model_output) const;

 private:
  SchedulerConfig config_;
};

}  // namespace negativa
