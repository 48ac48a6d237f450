#pragma once
// Samplers: how one step takes the latents to the next noise level. A sampler asks for the predictions it needs, so one of second
// order is a sampler like any other. One file a sampler, one line a sampler in the table of sampler.cpp.
// A sampler never changes; what a step has to remember is in SamplerState, which the caller owns.
#include <any>
#include <functional>
#include <memory>

#include "core/generator.h"
#include "schedule/names.h"
#include "schedule/sigma_grid.h"

namespace negativa {

// What a sampler remembers from step to step: a value of its own type, made at the first step that asks for it. A new one starts
// at order 1: so does the refiner, which takes over in the middle of a grid. One state serves one sampler.
class SamplerState {
 public:
  template <class T>
  T& as() {
    if (!value_.has_value()) value_.emplace<T>();
    return std::any_cast<T&>(value_);
  }

 private:
  std::any value_;
};

// One step from grid.sigmas[index] to grid.sigmas[index + 1]. "Last step" is the last of the whole grid, whoever runs it.
struct SamplerStep {
  int64_t index;
  const SigmaGrid& grid;
  const Tensor& sample;  // [1,C,h,w], the latents before scale_model_input; computed in fp32

  NoiseLevel from() const { return grid.level(index); }
  float sigma() const { return grid.sigmas[static_cast<size_t>(index)]; }
  float next_sigma() const { return grid.sigmas[static_cast<size_t>(index) + 1]; }
};

// Latents [1,C,h,w] before scale_model_input, and their noise level -> what the model says of them, guided [1,C,h,w].
using Predict = std::function<Tensor(const Tensor& sample, const NoiseLevel& level)>;

class Sampler {
 public:
  virtual ~Sampler() = default;
  virtual GridRules grid_rules() const = 0;
  // What standard normal noise is multiplied by to make the first latents.
  virtual float init_noise_sigma(const SigmaGrid& grid) const = 0;
  // The latents as the UNet wants them at this sigma.
  virtual Tensor scale_model_input(float sigma, const Tensor& sample) const = 0;
  // The latents without their noise, as a prediction at this sigma tells them: x0, unscaled. fp32.
  virtual Tensor x0(float sigma, const Tensor& sample, const Tensor& prediction) const = 0;
  // How often step `index` calls `predict`: what a run takes follows from it before it begins.
  virtual int64_t predictions(int64_t /*index*/, const SigmaGrid& /*grid*/) const { return 1; }
  // The latents after the step, in the dtype of the prediction. Draws from `generator` exactly as often as diffusers 0.42.1 does;
  // only ancestral samplers draw. Throws what `predict` throws.
  virtual Tensor step(const SamplerStep& step, const Predict& predict, Generator& generator, SamplerState& state) const = 0;
};

// One of sampler_names() for a model with this config. Throws ErrorKind::input for another name.
std::unique_ptr<const Sampler> make_sampler(std::string_view name, const SchedulerConfig& config);

}  // namespace negativa
