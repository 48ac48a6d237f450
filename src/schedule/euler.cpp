#include "schedule/samplers.h"

namespace negativa {

namespace {
// Euler steps along the probability-flow ODE, no churn: Karras et al. 2022, arXiv:2206.00364, algorithm 2 without its second
// half.
class Euler : public SigmaSpaceSampler {
 public:
  using SigmaSpaceSampler::SigmaSpaceSampler;

  Tensor step(const SamplerStep& step, Generator&, SamplerState&) const override {
    const float sigma = step.grid.sigmas.at(step.index), sigma_next = step.grid.sigmas.at(step.index + 1);
    return (step.sample.to(at::kFloat) + derivative(step) * (sigma_next - sigma)).to(step.model_output.scalar_type());
  }
};
}  // namespace

std::unique_ptr<const Sampler> make_euler(const SchedulerConfig& config) { return std::make_unique<Euler>(config); }

}  // namespace negativa
