#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>

#include <cstring>

#include "nn/cpu_kernels.h"

namespace negativa::nn::cpu {

namespace {

struct Patches {
  const float* x;  // one batch of pictures [B,H,W,C]
  int64_t height, width, channels, kernel, stride, padding, out_height, out_width;
};

// Pixels [begin, end) of the output, each a row of kernel*kernel*channels elements; zeros beyond the edges.
void copy_patches(const Patches& p, int64_t begin, int64_t end, float* rows) {
  const size_t pixel_bytes = p.channels * sizeof(float);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t b = i / (p.out_height * p.out_width), oy = i / p.out_width % p.out_height, ox = i % p.out_width;
    const float* picture = p.x + b * p.height * p.width * p.channels;
    const int64_t x0 = ox * p.stride - p.padding;
    for (int64_t ky = 0; ky < p.kernel; ++ky) {
      const int64_t y = oy * p.stride - p.padding + ky;
      const bool inside_y = y >= 0 && y < p.height;
      if (inside_y && x0 >= 0 && x0 + p.kernel <= p.width) {  // pixels of one line lie side by side
        std::memcpy(rows, picture + (y * p.width + x0) * p.channels, p.kernel * pixel_bytes);
        rows += p.kernel * p.channels;
        continue;
      }
      for (int64_t kx = 0; kx < p.kernel; ++kx, rows += p.channels) {
        const int64_t x = x0 + kx;
        if (inside_y && x >= 0 && x < p.width)
          std::memcpy(rows, picture + (y * p.width + x) * p.channels, pixel_bytes);
        else
          std::memset(rows, 0, pixel_bytes);
      }
    }
  }
}

// None in a libtorch without oneDNN.
template <class Function>
std::optional<c10::TypedOperatorHandle<Function>> one_dnn_linear(const char* overload) {
  const auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", overload});
  return found ? std::optional(found->typed<Function>()) : std::nullopt;
}

}  // namespace

// oneDNN's kernels are compiled for the CPU at hand, whoever made it. The library's own linear layer asks another BLAS, which has
// no AVX-512 for AMD and copies the weights at every call: 150 against 200 GFLOP/s there.
Tensor linear(const Tensor& x, const Tensor& weight, const Addend& addend) {
  using Name = c10::string_view;
  using Scalars = c10::List<std::optional<c10::Scalar>>;
  static const auto plain =
      one_dnn_linear<Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, Name, Scalars, std::optional<Name>)>("");
  static const auto added =
      one_dnn_linear<Tensor(const Tensor&, const Tensor&, const Tensor&, const std::optional<Tensor>&, Name)>("binary");
  const c10::NoGradGuard no_graph;
  const auto bias = addend.bias.defined() ? std::optional(addend.bias) : std::nullopt;
  if (!plain || !added) {
    const Tensor y = at::linear(x, weight, bias);
    return addend.residual.defined() ? y + addend.residual : y;
  }
  if (addend.residual.defined()) return added->call(x, addend.residual.contiguous(), weight, bias, "add");
  return plain->call(x, weight, bias, "none", Scalars(), "");
}

bool small_conv(const Tensor& x, const Tensor& weight, const ConvShape& shape) {
  const int64_t pixels = x.size(0) * x.size(2) * x.size(3) / (shape.stride * shape.stride);
  return pixels <= 1024 || pixels * weight.numel() < 100'000'000;
}

Tensor conv2d(const Tensor& input, const Tensor& weight, const Addend& addend, const ConvShape& shape) {
  constexpr auto channels_last = at::MemoryFormat::ChannelsLast;
  const Tensor x = input.contiguous(channels_last);
  const int64_t kernel = shape.kernel, out = shape.out_channels, depth = kernel * kernel * x.size(1);
  const auto side = [&](int64_t length) { return (length + 2 * shape.padding - kernel) / shape.stride + 1; };
  const Patches patches{x.const_data_ptr<float>(), x.size(2),      x.size(3), x.size(1), kernel, shape.stride, shape.padding,
                        side(x.size(2)),           side(x.size(3))};
  const int64_t pixels = x.size(0) * patches.out_height * patches.out_width;
  const bool is_product = kernel == 1 && shape.stride == 1 && shape.padding == 0;  // the picture is its own patches
  const auto as_rows = [](const Tensor& picture) { return picture.permute({0, 2, 3, 1}).reshape({-1, picture.size(1)}); };
  Tensor rows = is_product ? as_rows(x) : at::empty({pixels, depth}, x.options());
  if (!is_product)
    at::parallel_for(0, pixels, 16, [&, to = rows.mutable_data_ptr<float>()](int64_t begin, int64_t end) {
      copy_patches(patches, begin, end, to + begin * depth);
    });
  const Tensor residual = addend.residual.defined() ? as_rows(addend.residual) : Tensor();
  const Tensor y = linear(rows, weight.permute({0, 2, 3, 1}).reshape({out, depth}), {addend.bias, residual});
  return y.view({x.size(0), patches.out_height, patches.out_width, out}).permute({0, 3, 1, 2});
}

}  // namespace negativa::nn::cpu
