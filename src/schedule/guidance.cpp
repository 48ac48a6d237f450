#include "schedule/guidance.h"

namespace negativa {

bool guidance_active(int64_t index, int64_t steps, const GuidanceInterval& interval) {
  const double progress = static_cast<double>(index) / static_cast<double>(steps);
  return progress >= interval.begin && progress < interval.end;
}

Tensor guide(const Tensor& noise_pred_uncond, const Tensor& noise_pred_text, float guidance_scale, float guidance_rescale) {
  check_shape("guidance", noise_pred_text, shape_of(noise_pred_uncond));
  const auto guided = noise_pred_uncond + (noise_pred_text - noise_pred_uncond) * guidance_scale;
  if (guidance_rescale <= 0) return guided;
  const auto std_of = [](const Tensor& x) {
    return x.flatten(1).std(/*dim=*/at::IntArrayRef{1}, /*unbiased=*/true).view({-1, 1, 1, 1});
  };
  const auto rescaled = guided * (std_of(noise_pred_text) / std_of(guided));
  return rescaled * guidance_rescale + guided * (1 - guidance_rescale);
}

}  // namespace negativa
