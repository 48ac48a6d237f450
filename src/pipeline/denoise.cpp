#include "pipeline/denoise.h"

namespace negativa {

namespace {

// A UNet with what stays the same over the steps: the condition's projections, for both rows and for the positive row alone.
class ConditionedUNet {
 public:
  ConditionedUNet(const Denoising& run) : run_(run), both_(run.unet.prepare(run.condition, run.adapters)) {}

  Tensor both(const Tensor& input, double timestep) const {
    return run_.unet.forward(at::cat({input, input}), timestep, both_, run_.adapters);
  }

  Tensor positive(const Tensor& input, double timestep) {
    if (!positive_) {
      positive_ = both_.row(1);
      positive_adapters_ = run_.adapters.rows({1});
    }
    return run_.unet.forward(input, timestep, *positive_, positive_adapters_);
  }

 private:
  const Denoising& run_;
  PreparedCondition both_;
  std::optional<PreparedCondition> positive_;
  nn::Adapters positive_adapters_;
};

}  // namespace

Tensor denoise(const Denoising& run, Tensor latents, Generator& generator) {
  ConditionedUNet unet(run);
  SamplerState state;
  for (int64_t i = run.steps.begin; i < run.steps.end; ++i) {
    if (run.cancel) run.cancel->throw_if_cancelled();
    const Tensor input = run.sampler.scale_model_input(i, run.grid, latents).to(run.compute);
    const double timestep = run.grid.timesteps[i];
    Tensor noise_pred;
    if (run.guidance_scale > 1 && guidance_active(i, run.grid.steps(), run.interval)) {
      const auto rows = unet.both(input, timestep).to(at::kFloat).chunk(2);
      noise_pred = guide(rows[0], rows[1], static_cast<float>(run.guidance_scale), static_cast<float>(run.guidance_rescale));
    } else {
      noise_pred = unet.positive(input, timestep).to(at::kFloat);
    }
    latents = run.sampler.step({i, run.grid, noise_pred, latents}, generator, state);
    if (run.on_step) run.on_step();
  }
  return latents;
}

}  // namespace negativa
