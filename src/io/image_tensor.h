#pragma once
// 8-bit pictures <-> the pictures inside the program: [B,3,H,W] in [-1,1].
// Source: huggingface/diffusers image_processor.py, VaeImageProcessor.
#include "core/tensor.h"
#include "image/image.h"

namespace negativa {

// [1,3,H,W] fp32: 2 (x / 255) - 1. Throws ErrorKind::input for an empty picture.
Tensor image_to_tensor(const Image8& image);

// [B,3,H,W] of any dtype and device: x 0.5 + 0.5, clamped to [0,1], times 255, rounded half to even.
// Throws ErrorKind::shape, and ErrorKind::device when a picture holds NaN (a half-precision overflow).
std::vector<Image8> tensor_to_images(const Tensor& images);

}  // namespace negativa
