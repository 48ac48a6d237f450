#include "io/image_tensor.h"

#include <cstring>

namespace negativa {

Tensor image_to_tensor(const Image8& image) {
  check(!image.empty(), ErrorKind::input, "[image] got a picture of {} x {} px, expected some", image.width, image.height);
  const auto pixels = at::from_blob(const_cast<uint8_t*>(image.rgb.data()), {1, image.height, image.width, 3},
                                    at::TensorOptions().dtype(at::kByte));
  return pixels.permute({0, 3, 1, 2}).to(at::kFloat).div(255).mul(2).sub(1).contiguous();
}

std::vector<Image8> tensor_to_images(const Tensor& images) {
  check_shape("image", images, {-1, 3, -1, -1});
  const auto plain = images.detach().to(at::kCPU, at::kFloat);
  check(!plain.isnan().any().item<bool>(), ErrorKind::device,
        "[image] the picture holds NaN, numbers overflowed; try --dtype fp32 or bf16");
  // torch rounds halves to even, as numpy does.
  const auto bytes = plain.mul(0.5).add(0.5).clamp(0, 1).permute({0, 2, 3, 1}).mul(255).round().to(at::kByte).contiguous();
  std::vector<Image8> result;
  for (int64_t b = 0; b < bytes.size(0); ++b) {
    Image8 image{static_cast<int>(bytes.size(2)), static_cast<int>(bytes.size(1)), {}};
    image.rgb.resize(static_cast<size_t>(bytes[b].numel()));
    std::memcpy(image.rgb.data(), bytes[b].const_data_ptr(), image.rgb.size());
    result.push_back(std::move(image));
  }
  return result;
}

}  // namespace negativa
