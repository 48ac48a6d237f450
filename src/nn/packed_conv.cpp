#include "nn/packed_conv.h"

#include <ATen/core/dispatch/Dispatcher.h>

namespace negativa::nn {

Tensor pack_conv_weight(const Tensor& weight, const ConvGeometry& geometry) {
  const Shape stride(2, geometry.stride), padding(2, geometry.padding), dilation(2, 1);
  return at::mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), padding, stride, dilation, 1);
}

Tensor packed_conv(const Tensor& x, const Tensor& packed, const Tensor& bias, const ConvGeometry& geometry) {
  using Signature = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, at::IntArrayRef, at::IntArrayRef, at::IntArrayRef, int64_t,
                           std::string_view, c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);
  static const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_convolution_pointwise", "").typed<Signature>();
  static const Shape dilation(2, 1);
  const Shape stride(2, geometry.stride), padding(2, geometry.padding);
  return op.call(x, packed, bias, padding, stride, dilation, 1, "none", c10::List<std::optional<at::Scalar>>(), "");
}

}  // namespace negativa::nn
