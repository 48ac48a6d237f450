#pragma once
// The guided loop over a range of steps, for base and refiner alike.
#include "base/cancel.h"
#include "schedule/guidance.h"
#include "schedule/sampler.h"
#include "unet/unet.h"

namespace negativa {

struct Denoising {
  const UNet& unet;
  const Sampler& sampler;
  const SigmaGrid& grid;
  StepRange steps;
  UNetCondition condition;  // the rows of schedule/guidance.h: reference_row, positive_row, then those of further terms
  const nn::Adapters& adapters;
  Guidance guidance;
  DType compute;
  std::function<void()> on_step;  // after each step, however many predictions it took
  const CancelToken* cancel;      // asked before each prediction
  std::function<void(int64_t step, const Tensor& x0)> on_x0 =
      {};  // after each step: [1,C,h,w] fp32 as its first prediction has it
};

// latents [1,C,h,w] fp32, as the sampler has them before steps.begin -> after steps.end. At each step only the rows that its
// guidance needs are run.
Tensor denoise(const Denoising& run, Tensor latents, Generator& generator);

}  // namespace negativa
