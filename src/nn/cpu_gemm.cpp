#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>
#include <dlfcn.h>

#include <cstring>

#include "nn/cpu_kernels.h"

namespace negativa::nn::cpu {

namespace {

// C += A B, all row-major and dense: A [m,k], B [k,n], C [m,n].
struct Product {
  int64_t m, n, k;
  const float *a, *b;
  float* c;
};

// libtorch's own BLAS without the cost of a tensor operator around it (some 4 us, as long as a small product takes). A libtorch that
// does not export it is asked through the operator.
void multiply_add(const Product& p) {
  using Sgemm = void (*)(const char*, const char*, const int*, const int*, const int*, const float*, const float*, const int*, const float*,
                         const int*, const float*, float*, const int*);
  static const Sgemm sgemm = reinterpret_cast<Sgemm>(dlsym(RTLD_DEFAULT, "sgemm_"));
  if (sgemm) {
    const int m = static_cast<int>(p.m), n = static_cast<int>(p.n), k = static_cast<int>(p.k);
    const float one = 1;
    sgemm("N", "N", &n, &m, &k, &one, p.b, &n, p.a, &k, &one, p.c, &n);  // column-major: the same numbers as B^T A^T
    return;
  }
  const auto view = [](const float* data, int64_t rows, int64_t columns) { return at::from_blob(const_cast<float*>(data), {rows, columns}); };
  Tensor c = view(p.c, p.m, p.n);
  c.addmm_(view(p.a, p.m, p.k), view(p.b, p.k, p.n));
}

// Rows of `out` start as bias, residual or their sum.
void start_rows(float* out, const float* bias, const float* residual, int64_t rows, int64_t width) {
  constexpr int64_t numbers_a_task = 1 << 18;
  at::parallel_for(0, rows, numbers_a_task / width + 1, [&](int64_t begin, int64_t end) {
    if (!bias && !residual) std::fill(out + begin * width, out + end * width, 0.0f);
    if (!bias && residual) std::memcpy(out + begin * width, residual + begin * width, (end - begin) * width * sizeof(float));
    for (int64_t row = begin; bias && row < end; ++row) {
      float* target = out + row * width;
      if (!residual) {
        std::memcpy(target, bias, width * sizeof(float));
        continue;
      }
      const float* add = residual + row * width;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) target[i] = add[i] + bias[i];
    }
  });
}

struct Patches {
  const float* x;  // one batch of pictures [B,H,W,C]
  int64_t height, width, channels, kernel, stride, padding, out_height, out_width;
};

// Pixels [begin, end) of the output, each a row of kernel*kernel*channels numbers; zeros beyond the edges.
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
        if (inside_y && x >= 0 && x < p.width) std::memcpy(rows, picture + (y * p.width + x) * p.channels, pixel_bytes);
        else std::memset(rows, 0, pixel_bytes);
      }
    }
  }
}

// Patches of one chunk should stay in the L2 cache, but weights that do not must not be read too often.
int64_t pixels_a_chunk(int64_t depth, int64_t weight_numbers) {
  constexpr int64_t cached_numbers = 256 << 10;
  if (weight_numbers > 4 * cached_numbers) return 512;
  return std::clamp<int64_t>(cached_numbers / depth, 64, 512);
}

}  // namespace

Tensor lay_out_linear(const Tensor& weight) { return weight.t().contiguous().t(); }
Tensor lay_out_conv(const Tensor& weight) { return weight.permute({2, 3, 1, 0}).contiguous().permute({3, 2, 0, 1}); }
bool is_laid_out_conv(const Tensor& weight) { return weight.permute({2, 3, 1, 0}).is_contiguous(); }

// oneDNN's kernels are compiled for the CPU at hand, whoever made it. The library's own linear layer asks another BLAS, which has no AVX-512 for AMD and copies the
// weights at every call: 150 against 200 GFLOP/s there.
Tensor linear(const Tensor& x, const Tensor& weight, const Addend& addend) {
  const c10::NoGradGuard no_graph;
  using Scalars = c10::List<std::optional<c10::Scalar>>;
  using Plain = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, c10::string_view, Scalars, std::optional<c10::string_view>);
  using Added = Tensor(const Tensor&, const Tensor&, const Tensor&, const std::optional<Tensor>&, c10::string_view);
  static const auto plain = c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_linear_pointwise", "").typed<Plain>();
  static const auto added = c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_linear_pointwise", "binary").typed<Added>();
  const auto bias = addend.bias.defined() ? std::optional(addend.bias) : std::nullopt;
  if (addend.residual.defined()) return added.call(x, addend.residual.contiguous(), weight, bias, "add");
  return plain.call(x, weight, bias, "none", Scalars(), "");
}

bool small_conv(const Tensor& x, const Tensor& weight, const ConvShape& shape) {
  const int64_t pixels = x.size(0) * x.size(2) * x.size(3) / (shape.stride * shape.stride);
  return pixels <= 1024 || pixels * weight.numel() < 100'000'000;
}

Tensor conv2d(const Tensor& input, const Tensor& weight, const Addend& addend, const ConvShape& shape) {
  constexpr auto channels_last = at::MemoryFormat::ChannelsLast;
  const Tensor x = input.contiguous(channels_last), residual = addend.residual.defined() ? addend.residual.contiguous(channels_last) : Tensor();
  const int64_t kernel = weight.size(2), out = weight.size(0), depth = kernel * kernel * x.size(1);
  const auto side = [&](int64_t length) { return (length + 2 * shape.padding - kernel) / shape.stride + 1; };
  const Patches patches{x.const_data_ptr<float>(), x.size(2), x.size(3), x.size(1), kernel, shape.stride, shape.padding, side(x.size(2)), side(x.size(3))};
  Tensor y = at::empty({x.size(0), out, patches.out_height, patches.out_width}, x.options(), channels_last);
  const int64_t pixels = x.size(0) * patches.out_height * patches.out_width;
  const int64_t a_thread = (pixels + at::get_num_threads() - 1) / at::get_num_threads();
  const int64_t chunk = std::min(pixels_a_chunk(depth, weight.numel()), std::max<int64_t>(a_thread, 1));
  const bool is_product = kernel == 1 && shape.stride == 1 && shape.padding == 0;  // the picture is its own patches
  const float *bias = data_or_null(addend.bias), *add = data_or_null(residual), *w = weight.const_data_ptr<float>();
  float* target = y.mutable_data_ptr<float>();
  at::parallel_for(0, (pixels + chunk - 1) / chunk, 1, [&](int64_t first, int64_t last) {
    thread_local std::vector<float> rows;
    for (int64_t i = first; i < last; ++i) {
      const int64_t begin = i * chunk, end = std::min(pixels, begin + chunk);
      const float* a = patches.x + begin * depth;
      if (!is_product) {
        if (static_cast<int64_t>(rows.size()) < chunk * depth) rows.resize(chunk * depth);
        copy_patches(patches, begin, end, rows.data());
        a = rows.data();
      }
      start_rows(target + begin * out, bias, add ? add + begin * out : nullptr, end - begin, out);
      multiply_add({end - begin, out, depth, a, w, target + begin * out});
    }
  });
  return y;
}

}  // namespace negativa::nn::cpu
