#include "pipeline/denoise.h"

#include <map>

namespace negativa {

namespace {

// A UNet with what stays the same over the steps: the condition's projections, for all rows and for the choices of rows asked
// for.
class ConditionedUNet {
 public:
  explicit ConditionedUNet(const Denoising& run) : run_(run), all_(run.unet.prepare(run.condition, run.adapters)) {}

  // One input [1,C,h,w] for all of `rows` -> what the UNet says with each, [1,C,h,w] in fp32.
  std::vector<Tensor> forward(const std::vector<int>& rows, const Tensor& input, double timestep) {
    const auto count = static_cast<int64_t>(rows.size());
    const Tensor batch = count == 1 ? input : at::cat(std::vector<Tensor>(rows.size(), input));
    return predict(rows, batch, timestep).to(at::kFloat).chunk(count);
  }

 private:
  struct Rows {
    PreparedCondition condition;
    nn::Adapters adapters;
  };

  Tensor predict(const std::vector<int>& rows, const Tensor& batch, double timestep) {
    if (batch.size(0) == run_.condition.prompt_embeds.size(0)) return run_.unet.forward(batch, timestep, all_, run_.adapters);
    auto found = some_.find(rows);
    if (found == some_.end()) found = some_.emplace(rows, Rows{all_.rows(rows), run_.adapters.rows(rows)}).first;
    return run_.unet.forward(batch, timestep, found->second.condition, found->second.adapters);
  }

  const Denoising& run_;
  const PreparedCondition all_;
  std::map<std::vector<int>, Rows> some_;
};

}  // namespace

Tensor denoise(const Denoising& run, Tensor latents, Generator& generator) {
  ConditionedUNet unet(run);
  SamplerState state;
  for (int64_t i = run.steps.begin; i < run.steps.end; ++i) {
    const StepGuidance guidance(run.guidance, i, run.grid.steps());
    Tensor x0;
    const Predict predict = [&](const Tensor& sample, const NoiseLevel& level) {
      if (run.cancel) run.cancel->throw_if_cancelled();
      const Tensor input = run.sampler.scale_model_input(level.sigma, sample).to(run.compute);
      const Tensor prediction = guidance.combine(unet.forward(guidance.rows(), input, level.timestep));
      if (run.on_x0 && !x0.defined()) x0 = run.sampler.x0(level.sigma, sample, prediction);
      return prediction;
    };
    latents = run.sampler.step({i, run.grid, latents}, predict, generator, state);
    if (run.on_step) run.on_step();
    if (run.on_x0) run.on_x0(i + 1, x0);
  }
  return latents;
}

}  // namespace negativa
