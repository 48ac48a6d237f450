#pragma once
// fp32 kernels for the CPU where the library's are slow at the sizes of a UNet in channels_last memory. Each is one pass over its
// data; the innermost loops are those of active_isa() (isa/kernels.h). No gradients: the layers take them only under
// inference mode.
#include "core/tensor.h"

namespace negativa::nn::cpu {

// Whether the kernels below may stand in: fp32 on the CPU and no gradient wanted.
bool usable(const Tensor& x);

struct NormShape {
  int64_t groups;
  double eps;
  bool silu;  // SiLU of the result
};
// x [B,C,H,W] in channels_last memory; weight, bias [C]. Statistics per channel about its first value, joined in double: a
// near-constant input keeps its variance.
Tensor group_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const NormShape& shape);

// Over the last axis of x; weight, bias [width].
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps);

// What a product is added to: a bias of the output's width and, if defined, a tensor of the output's shape.
struct Addend {
  const Tensor& bias;  // [out]; undefined: zeros
  const Tensor& residual;
};

// x [..., in] -> [..., out]; weight [out,in], in whatever order of memory. For the larger ones.
Tensor linear(const Tensor& x, const Tensor& weight, const Addend& addend);

struct ConvShape {
  int64_t kernel, stride, padding, out_channels;
};

// The same with small weights in the order of isa/kernels.h: [panels, in, panel_width] of a linear layer, [16, panels, in,
// panel_width] of a convolution that cpu_winograd.cpp can do, [panels, k * k * in, panel_width] of another.
bool worth_packing(const Tensor& weight);
Tensor pack_linear(const Tensor& weight);
Tensor pack_conv(const Tensor& weight, const ConvShape& shape);
Tensor packed_linear(const Tensor& x, const Tensor& packed, int64_t out_features, const Addend& addend);
Tensor packed_conv2d(const Tensor& x, const Tensor& packed, const Addend& addend, const ConvShape& shape);

// Square kernel; x [B,in,H,W] -> [B,out,H',W'], both in channels_last memory. Patches are copied side by side and multiplied. The
// library's direct convolution reorders the weights at every call and spends 10 us before it starts, but is 10 to 30 % faster
// where there are many pixels: small_conv tells.
bool small_conv(const Tensor& x, const Tensor& weight, const ConvShape& shape);
Tensor conv2d(const Tensor& x, const Tensor& weight, const Addend& addend, const ConvShape& shape);

// Winograd's way with weights that are transformed at every call: for so many pixels of a batch that this costs little
// (winograd_pays). Memory for transformed_elements floats of the largest layer so far, for each thread that called at the same
// time, is kept for later calls until free_kept_memory(). Thread-safe.
bool winograd_pays(int64_t pixels, const Tensor& weight, const ConvShape& shape);
int64_t transformed_elements(const Tensor& weight);
Tensor transforming_conv2d(const Tensor& x, const Tensor& weight, const Addend& addend);
void free_kept_memory();

// Of the files that share them: [depth, width] -> [panels, depth, panel_width]; Winograd's convolution; a pointer or none.
Tensor in_panels(const Tensor& matrix);
bool winograd_fits(const Tensor& weight, const ConvShape& shape);
Tensor pack_winograd(const Tensor& weight);
Tensor winograd_conv2d(const Tensor& x, const Tensor& packed, const Addend& addend, int64_t out_channels);
const float* data_or_null(const Tensor& tensor);

// x [..., 2n] -> [..., n]: first half times gelu (exact) of the second half.
Tensor geglu(const Tensor& x);

// Whether attention() below beats the library's: few keys, narrow heads.
bool small_attention(int64_t keys, int64_t head_dim);
// q [B,Tq,heads d], k and v [B,Tk,heads d], contiguous -> [B,Tq,heads d]; scale d^-0.5, no mask.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads);

}  // namespace negativa::nn::cpu
