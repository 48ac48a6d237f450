#include "pipeline/latent_rgb.h"

#include <algorithm>
#include <list>
#include <mutex>

#include "core/generator.h"

namespace negativa {

namespace {

constexpr int64_t fitted_pictures = 4, side = 16, block = 4;  // in latent pixels

// Squares of one colour each, with a little noise in them: random latents without any would be grey after decoding, because
// neighbouring ones pull each other's colours together.
Tensor random_latents(int64_t channels) {
  Generator generator(0);
  const Tensor squares = generator.randn({fitted_pictures, channels, side / block, side / block});
  const Tensor noise = generator.randn({fitted_pictures, channels, side, side});
  return squares.repeat_interleave(block, 2).repeat_interleave(block, 3) + 0.1 * noise;
}

// [N,C,h,w] -> [N·h·w, C + 1], the last column 1
Tensor rows_of(const Tensor& latents) {
  const Tensor rows = latents.permute({0, 2, 3, 1}).reshape({-1, latents.size(1)}).to(at::kDouble);
  return at::cat({rows, at::ones({rows.size(0), 1}, rows.options())}, 1);
}

}  // namespace

LatentRgb::LatentRgb(const Vae& vae, const at::TensorOptions& options) {
  const Tensor latents = random_latents(vae.config.latent_channels);
  bool retried = false;
  const Tensor decoded = decode_finite(vae, latents.to(options), &retried).to(at::kCPU, at::kFloat);
  const Tensor colours = at::adaptive_avg_pool2d(decoded, {side, side}).permute({0, 2, 3, 1}).reshape({-1, 3}).to(at::kDouble);
  const Tensor rows = rows_of(latents);
  // Normal equations: some ten columns of order 1, far from singular.
  weights_ = at::linalg_solve(at::mm(rows.t(), rows), at::mm(rows.t(), colours));
}

Tensor LatentRgb::image(const Tensor& latents) const {
  const Tensor host = latents.to(at::kCPU, at::kFloat);
  const Tensor colours = at::mm(rows_of(host), weights_).reshape({host.size(0), host.size(2), host.size(3), 3});
  return colours.permute({0, 3, 1, 2}).clamp(-1, 1).to(at::kFloat).contiguous();
}

std::shared_ptr<const LatentRgb> latent_rgb_of(const std::shared_ptr<const Vae>& vae, const at::TensorOptions& options) {
  struct Fitted {
    std::weak_ptr<const Vae> vae;
    std::shared_ptr<const LatentRgb> map;
  };
  static std::mutex mutex;
  static std::list<Fitted> known;  // a program has few VAEs open at once
  const std::lock_guard lock(mutex);
  known.remove_if([](const Fitted& fitted) { return fitted.vae.expired(); });
  const auto found = std::find_if(known.begin(), known.end(), [&](const Fitted& fitted) { return fitted.vae.lock() == vae; });
  if (found != known.end()) return found->map;
  known.push_back({vae, std::make_shared<const LatentRgb>(*vae, options)});
  return known.back().map;
}

}  // namespace negativa
