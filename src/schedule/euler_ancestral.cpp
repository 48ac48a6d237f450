#include <cmath>

#include "schedule/samplers.h"

namespace negativa {

namespace {
// Euler steps below the next sigma, then fresh noise up to it: crowsonkb/k-diffusion, sample_euler_ancestral with eta 1.
class EulerAncestral : public SigmaSpaceSampler {
 public:
  explicit EulerAncestral(const SchedulerConfig& config) : SigmaSpaceSampler(config) {
    check(config.prediction_type != PredictionType::sample, ErrorKind::input,
          "[sampler] euler_ancestral does not draw with a model that predicts the sample; try --sampler euler or dpmpp_2m");
  }
  // diffusers' EulerAncestralDiscreteScheduler takes no final_sigmas_type.
  GridRules grid_rules() const override { return GridRules::euler_to_zero; }

  Tensor step(const SamplerStep& step, const Predict& predict, Generator& generator, SamplerState&) const override {
    const float from = step.sigma(), to = step.next_sigma();
    const float sigma_up = std::sqrt(to * to * (from * from - to * to) / (from * from));
    const float sigma_down = std::sqrt(to * to - sigma_up * sigma_up);
    const auto model_output = predict(step.sample, step.from());
    const auto sample = step.sample.to(at::kFloat);
    const auto moved = sample + derivative(from, sample, model_output) * (sigma_down - from);
    // Drawn at the last step too, where sigma_up is 0: later draws from this generator equal diffusers'.
    const auto noise = generator.randn(shape_of(step.sample)).to(moved.device());
    return (moved + noise * sigma_up).to(model_output.scalar_type());
  }
};
}  // namespace

std::unique_ptr<const Sampler> make_euler_ancestral(const SchedulerConfig& config) {
  return std::make_unique<EulerAncestral>(config);
}

}  // namespace negativa
