#pragma once
// What latents look like, by a linear map: cheap enough to be shown after every step.
#include <memory>

#include "vae/vae.h"

namespace negativa {

// Fitted to what the VAE makes of random latents: least squares from a latent pixel's channels to the mean colour of its square
// of the picture. The same VAE gives the same map. Never changes; safe from several threads.
class LatentRgb {
 public:
  // options: what the VAE computes in, and where. Takes the time of decoding four pictures of 16x16 latent pixels.
  LatentRgb(const Vae& vae, const at::TensorOptions& options);

  // latents [B,C,h,w], times the scaling factor -> [B,3,h,w] in [-1,1], fp32 on the CPU
  Tensor image(const Tensor& latents) const;

 private:
  Tensor weights_;  // [C + 1, 3]; the last row is what no latents look like
};

// The map of that VAE, fitted when it is first asked for and kept as long as the VAE lives. Safe from several threads.
std::shared_ptr<const LatentRgb> latent_rgb_of(const std::shared_ptr<const Vae>& vae, const at::TensorOptions& options);

}  // namespace negativa
