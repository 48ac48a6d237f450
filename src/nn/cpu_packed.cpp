// Linear layers and convolutions on packed weights.
#include <ATen/Parallel.h>

#include "nn/cpu_kernels.h"
#include "nn/isa/kernels.h"
#include "nn/threads.h"

namespace negativa::nn::cpu {

namespace {

constexpr int64_t rows_a_task = 64;

struct Rows {
  int64_t count, parts, depth, width;
  const float *weights, *bias, *residual;  // bias, residual: nullptr for zeros
  float* out;
};

// The product of all rows, task by task. point(first, count, sources, zeros) fills sources [parts, count] for `count` rows from
// `first` on.
template <class Point>
void multiply_rows(const Rows& all, const Point& point) {
  at::parallel_for(0, (all.count + rows_a_task - 1) / rows_a_task,
                   items_a_thread(2 * rows_a_task * all.parts * all.depth * all.width),
                   [&](int64_t first_task, int64_t last_task) {
                     thread_local std::vector<float> zeros;
                     thread_local std::vector<const float*> sources;
                     if (const size_t length = std::max(all.width, all.depth); zeros.size() < length) zeros.resize(length);
                     if (const size_t length = all.parts * rows_a_task; sources.size() < length) sources.resize(length);
                     const float* start[rows_a_task];
                     for (int64_t task = first_task; task < last_task; ++task) {
                       const int64_t first = task * rows_a_task, count = std::min(rows_a_task, all.count - first);
                       point(first, count, sources.data(), zeros.data());
                       for (int64_t r = 0; r < count; ++r)
                         start[r] = all.residual ? all.residual + (first + r) * all.width : zeros.data();
                       kernels().multiply({count, all.parts, all.depth, all.width, sources.data(), all.weights,
                                           all.bias ? all.bias : zeros.data(), start, all.out + first * all.width});
                     }
                   });
}

struct Pictures {
  const float* x;  // [B,H,W,C]
  int64_t height, width, channels, out_height, out_width;
};

// The pixels under each position of the kernel; zeros beyond the edges.
void point_at_pixels(const Pictures& p, const ConvShape& shape, int64_t first, int64_t count, const float** sources,
                     const float* zeros) {
  for (int64_t r = 0; r < count; ++r) {
    const int64_t i = first + r, b = i / (p.out_height * p.out_width), oy = i / p.out_width % p.out_height, ox = i % p.out_width;
    const int64_t y0 = oy * shape.stride - shape.padding, x0 = ox * shape.stride - shape.padding;
    for (int64_t ky = 0; ky < shape.kernel; ++ky)
      for (int64_t kx = 0; kx < shape.kernel; ++kx) {
        const int64_t y = y0 + ky, x = x0 + kx;
        const bool inside = y >= 0 && y < p.height && x >= 0 && x < p.width;
        sources[(ky * shape.kernel + kx) * count + r] = inside ? p.x + ((b * p.height + y) * p.width + x) * p.channels : zeros;
      }
  }
}

}  // namespace

Tensor in_panels(const Tensor& matrix) {
  const int64_t depth = matrix.size(0), width = matrix.size(1), panels = (width + panel_width - 1) / panel_width;
  const Tensor padded = at::constant_pad_nd(matrix, {0, panels * panel_width - width});
  return padded.view({depth, panels, panel_width}).transpose(0, 1).contiguous();
}

const float* data_or_null(const Tensor& tensor) { return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr; }

bool worth_packing(const Tensor& weight) { return weight.numel() <= (512 << 10); }
Tensor pack_linear(const Tensor& weight) { return in_panels(weight.t()); }
Tensor pack_conv(const Tensor& weight, const ConvShape& shape) {
  return winograd_fits(weight, shape) ? pack_winograd(weight) : in_panels(weight.permute({2, 3, 1, 0}).flatten(0, 2));
}

Tensor packed_linear(const Tensor& input, const Tensor& packed, int64_t out_features, const Addend& addend) {
  const Tensor x = input.contiguous(), residual = addend.residual.defined() ? addend.residual.contiguous() : Tensor();
  const int64_t in = packed.size(1), rows = x.numel() / in;
  Shape shape = shape_of(x);
  shape.back() = out_features;
  Tensor y = at::empty(shape, x.options());
  const float* source = x.const_data_ptr<float>();
  multiply_rows({rows, 1, in, out_features, packed.const_data_ptr<float>(), data_or_null(addend.bias), data_or_null(residual),
                 y.mutable_data_ptr<float>()},
                [&](int64_t first, int64_t count, const float** sources, const float*) {
                  for (int64_t r = 0; r < count; ++r) sources[r] = source + (first + r) * in;
                });
  return y;
}

Tensor packed_conv2d(const Tensor& input, const Tensor& packed, const Addend& addend, const ConvShape& shape) {
  if (packed.dim() == 4) return winograd_conv2d(input, packed, addend, shape.out_channels);
  constexpr auto channels_last = at::MemoryFormat::ChannelsLast;
  const Tensor x = input.contiguous(channels_last),
               residual = addend.residual.defined() ? addend.residual.contiguous(channels_last) : Tensor();
  const auto side = [&](int64_t length) { return (length + 2 * shape.padding - shape.kernel) / shape.stride + 1; };
  const Pictures pictures{x.const_data_ptr<float>(), x.size(2), x.size(3), x.size(1), side(x.size(2)), side(x.size(3))};
  Tensor y = at::empty({x.size(0), shape.out_channels, pictures.out_height, pictures.out_width}, x.options(), channels_last);
  const int64_t pixels = x.size(0) * pictures.out_height * pictures.out_width;
  multiply_rows({pixels, shape.kernel * shape.kernel, x.size(1), shape.out_channels, packed.const_data_ptr<float>(),
                 data_or_null(addend.bias), data_or_null(residual), y.mutable_data_ptr<float>()},
                [&](int64_t first, int64_t count, const float** sources, const float* zeros) {
                  point_at_pixels(pictures, shape, first, count, sources, zeros);
                });
  return y;
}

}  // namespace negativa::nn::cpu
