#include "schedule/samplers.h"

namespace negativa {

namespace {
// Heun's method on the probability-flow ODE, no churn: Karras et al. 2022, arXiv:2206.00364, algorithm 2. Two predictions a step,
// the second where an Euler step leads to; one in the step to sigma 0, where the slope is not defined.
class Heun : public SigmaSpaceSampler {
 public:
  using SigmaSpaceSampler::SigmaSpaceSampler;
  // diffusers' HeunDiscreteScheduler takes no final_sigmas_type.
  GridRules grid_rules() const override { return GridRules::euler_to_zero; }
  int64_t predictions(int64_t index, const SigmaGrid& grid) const override {
    return grid.sigmas[static_cast<size_t>(index) + 1] == 0 ? 1 : 2;
  }

  Tensor step(const SamplerStep& step, const Predict& predict, Generator&, SamplerState&) const override {
    const float sigma = step.sigma(), sigma_next = step.next_sigma();
    const auto model_output = predict(step.sample, step.from());
    const auto sample = step.sample.to(at::kFloat), slope = derivative(sigma, sample, model_output);
    const auto euler = sample + slope * (sigma_next - sigma);
    if (sigma_next == 0) return euler.to(model_output.scalar_type());
    const auto slope_next = derivative(sigma_next, euler, predict(euler, step.grid.level(step.index + 1)));
    return (sample + (slope + slope_next) / 2 * (sigma_next - sigma)).to(model_output.scalar_type());
  }
};
}  // namespace

std::unique_ptr<const Sampler> make_heun(const SchedulerConfig& config) { return std::make_unique<Heun>(config); }

}  // namespace negativa
