#pragma once
// Samplers: how one step turns the UNet's output into the next latents. One file a sampler, one line a sampler in sampler.cpp.
// A sampler never changes; what a step has to remember is in SamplerState, which the caller owns.
#include <memory>

#include "core/generator.h"
#include "schedule/sigma_grid.h"

namespace negativa {

// Multistep history. A new one starts at order 1: so does the refiner, which takes over in the middle of a grid.
struct SamplerState {
  Tensor previous_x0;  // fp32, shape of the sample; undefined before the first step
};

// One step from grid.sigmas[index] to grid.sigmas[index + 1]. "Last step" is the last of the whole grid, whoever runs it.
struct SamplerStep {
  int64_t index;
  const SigmaGrid& grid;
  const Tensor& model_output;  // [1,C,h,w], guided; its dtype is the result's
  const Tensor& sample;        // [1,C,h,w], the latents before scale_model_input; computed in fp32
};

class Sampler {
 public:
  virtual ~Sampler() = default;
  virtual GridRules grid_rules() const = 0;
  // What standard normal noise is multiplied by to make the first latents.
  virtual float init_noise_sigma(const SigmaGrid& grid) const = 0;
  // The latents as the UNet wants them at step `index`.
  virtual Tensor scale_model_input(int64_t index, const SigmaGrid& grid, const Tensor& sample) const = 0;
  // Draws from `generator` exactly as often as diffusers 0.42.1 does; only ancestral samplers draw.
  virtual Tensor step(const SamplerStep& step, Generator& generator, SamplerState& state) const = 0;
};

// "euler", "euler_ancestral" or "dpmpp_2m" for a model with this config. Throws ErrorKind::input for another name.
std::unique_ptr<const Sampler> make_sampler(std::string_view name, const SchedulerConfig& config);

std::vector<std::string> sampler_names();

}  // namespace negativa
