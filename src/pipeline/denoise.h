#pragma once
// The guided loop over a range of steps, for base and refiner alike.
#include "base/cancel.h"
#include "schedule/guidance.h"
#include "schedule/sampler.h"
#include "schedule/split.h"
#include "unet/unet.h"

namespace negativa {

struct Denoising {
  const UNet& unet;
  const Sampler& sampler;
  const SigmaGrid& grid;
  StepRange steps;
  UNetCondition condition;  // rows [negative, positive]
  const nn::Adapters& adapters;
  double guidance_scale, guidance_rescale;
  GuidanceInterval interval;
  DType compute;
  std::function<void()> on_step;
  const CancelToken* cancel;
};

// latents [1,C,h,w] fp32, as the sampler has them before steps.begin -> after steps.end. Without guidance only the positive row
// is run.
Tensor denoise(const Denoising& run, Tensor latents, Generator& generator);

}  // namespace negativa
