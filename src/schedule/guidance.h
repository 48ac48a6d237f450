#pragma once
// Classifier-free guidance: Ho & Salimans 2022, arXiv:2207.12598.
#include "core/tensor.h"

namespace negativa {

struct GuidanceInterval {
  double begin = 0, end = 1;  // fractions of the run
};

// Guidance only in part of the run: Kynkäänniemi et al. 2024, arXiv:2404.07724, who give the part in sigmas; here it is progress
// through the schedule, index / steps in [0,1), so that it means the same on every grid. Active from `begin` (included) to `end`
// (excluded); outside, the positive prediction is used as it is. `steps` is the whole schedule's, base and refiner together.
bool guidance_active(int64_t index, int64_t steps, const GuidanceInterval& interval);

// uncond + guidance_scale·(text - uncond), all [B,C,h,w]. guidance_rescale in [0,1] mixes in the same prediction with text's
// standard deviation per picture, against overexposure (Lin et al. 2023, arXiv:2305.08891, section 3.4). Throws ErrorKind::shape
// when they differ.
Tensor guide(const Tensor& noise_pred_uncond, const Tensor& noise_pred_text, float guidance_scale, float guidance_rescale);

}  // namespace negativa
