#include <cmath>

#include "schedule/samplers.h"

namespace negativa {

namespace {
// A noise level: latents are alpha·x0 + sigma·noise, with alpha² + sigma² = 1, or with alpha 1 where the model has EDM's
// preconditioning. lambda is half the log signal-to-noise ratio, +inf at the end of the grid.
struct Level {
  Level(float table_sigma, bool is_edm)
      : alpha(is_edm ? 1 : 1 / std::sqrt(table_sigma * table_sigma + 1)),
        sigma(table_sigma * alpha),
        lambda(std::log(alpha) - std::log(sigma)) {}
  float alpha, sigma, lambda;
};

struct History {
  Tensor previous_x0;  // fp32, shape of the sample; undefined before the first step
};

// DPM-Solver++(2M), midpoint form: Lu et al. 2022, arXiv:2211.01095, algorithm 2.
class DpmPlusPlus2M : public Sampler {
 public:
  explicit DpmPlusPlus2M(const SchedulerConfig& config) : config_(config) {}
  GridRules grid_rules() const override { return GridRules::dpm_solver; }
  float init_noise_sigma(const SigmaGrid&) const override { return config_.edm ? edm_init_noise_sigma(*config_.edm) : 1; }
  Tensor scale_model_input(float sigma, const Tensor& sample) const override {
    return config_.edm ? edm_model_input(*config_.edm, sigma, sample) : sample;
  }

  Tensor x0(float sigma, const Tensor& sample, const Tensor& prediction) const override {
    return predicted_x0({sigma, config_.edm.has_value()}, sample.to(at::kFloat), prediction);
  }

  Tensor step(const SamplerStep& step, const Predict& predict, Generator&, SamplerState& state) const override {
    auto& history = state.as<History>();
    const Level here = level(step, step.index), next = level(step, step.index + 1);
    const auto model_output = predict(step.sample, step.from());
    const auto sample = step.sample.to(at::kFloat), x0 = predicted_x0(here, sample, model_output);
    const float h = next.lambda - here.lambda, weight = next.alpha * (std::exp(-h) - 1);
    auto moved = sample * (next.sigma / here.sigma) - x0 * weight;
    if (history.previous_x0.defined() && !first_order_at(step.index, step.grid)) {
      const Level before = level(step, step.index - 1);
      const float r = (here.lambda - before.lambda) / h;
      moved = moved - (x0 - history.previous_x0) * (1 / r) * (0.5f * weight);
    }
    history.previous_x0 = x0;
    return moved.to(model_output.scalar_type());
  }

 private:
  Level level(const SamplerStep& step, int64_t index) const {
    return {step.grid.sigmas.at(static_cast<size_t>(index)), config_.edm.has_value()};
  }

  Tensor predicted_x0(const Level& here, const Tensor& sample, const Tensor& model_output) const {
    if (config_.edm) return edm_x0(config_, here.sigma, sample, model_output);
    if (config_.prediction_type == PredictionType::sample) return model_output;
    if (config_.prediction_type == PredictionType::epsilon) return (sample - model_output * here.sigma) / here.alpha;
    return sample * here.alpha - model_output * here.sigma;
  }

  // At sigma 0 only order 1 is finite (h is infinite); short runs are steadier with it.
  bool first_order_at(int64_t index, const SigmaGrid& grid) const {
    const bool last = index == grid.steps() - 1;
    return last && (grid.sigmas.back() == 0 || config_.euler_at_final || (config_.lower_order_final && grid.steps() < 15));
  }

  SchedulerConfig config_;
};
}  // namespace

std::unique_ptr<const Sampler> make_dpmpp_2m(const SchedulerConfig& config) { return std::make_unique<DpmPlusPlus2M>(config); }

}  // namespace negativa
