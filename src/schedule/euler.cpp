#include "schedule/samplers.h"

namespace negativa {

namespace {
// Euler steps along the probability-flow ODE, no churn: Karras et al. 2022, arXiv:2206.00364, algorithm 2 without its second
// half.
class Euler : public SigmaSpaceSampler {
 public:
  using SigmaSpaceSampler::SigmaSpaceSampler;

  Tensor step(const SamplerStep& step, const Predict& predict, Generator&, SamplerState&) const override {
    const auto model_output = predict(step.sample, step.from());
    const auto sample = step.sample.to(at::kFloat), slope = derivative(step.sigma(), sample, model_output);
    return (sample + slope * (step.next_sigma() - step.sigma())).to(model_output.scalar_type());
  }
};
}  // namespace

std::unique_ptr<const Sampler> make_euler(const SchedulerConfig& config) { return std::make_unique<Euler>(config); }

}  // namespace negativa
