#pragma once
// Convolution with weights laid out for the CPU once, at load: the library otherwise reorders them at every call (measured 1.2 to 1.6 times
// slower on a UNet's shapes).
#include "core/tensor.h"

namespace negativa::nn {

struct ConvGeometry {
  int64_t stride, padding;
};

// weight [out,in,k,k] fp32 on the CPU -> an opaque tensor for packed_conv alone.
Tensor pack_conv_weight(const Tensor& weight, const ConvGeometry& geometry);
// x [B,in,H,W] fp32 in channels_last memory -> [B,out,H',W'] likewise. No gradients.
Tensor packed_conv(const Tensor& x, const Tensor& packed, const Tensor& bias, const ConvGeometry& geometry);

}  // namespace negativa::nn
