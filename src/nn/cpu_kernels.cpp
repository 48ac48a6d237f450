#include "nn/cpu_kernels.h"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "nn/isa/kernels.h"
#include "nn/threads.h"

namespace negativa::nn::cpu {

namespace {

constexpr int64_t rows_a_chunk = 256;  // rows summed in fp32 before they join the double sums

// Mean and variance of the groups of one picture, as scale and shift per channel.
struct ChannelAffine {
  std::vector<float> scale, shift;
};

struct PictureNorm {
  const float *x, *weight, *bias;
  int64_t rows, channels;
};

ChannelAffine channel_affine(const PictureNorm& picture, const NormShape& shape) {
  const auto [x, weight, bias, rows, channels] = picture;
  const int64_t chunks = (rows + rows_a_chunk - 1) / rows_a_chunk;
  std::vector<float> sums(2 * chunks * channels);
  at::parallel_for(0, chunks, items_a_thread(rows_a_chunk * channels * 16),
                   [&, x = x, rows = rows, channels = channels](int64_t begin, int64_t end) {
                     for (int64_t i = begin; i < end; ++i)
                       kernels().channel_sums(x + i * rows_a_chunk * channels, x, std::min(rows_a_chunk, rows - i * rows_a_chunk),
                                              channels, &sums[2 * i * channels], &sums[(2 * i + 1) * channels]);
                   });
  ChannelAffine affine{std::vector<float>(channels), std::vector<float>(channels)};
  const int64_t width = channels / shape.groups;
  const double n = static_cast<double>(rows), share = 1 / n, share_of_width = 1.0 / static_cast<double>(width);
  std::vector<double> means(width);
  for (int64_t g = 0; g < shape.groups; ++g) {
    double group_mean = 0, within = 0, between = 0;
    for (int64_t j = 0; j < width; ++j) {
      const int64_t c = g * width + j;
      double sum = 0, square = 0;
      for (int64_t i = 0; i < chunks; ++i) {
        sum += sums[2 * i * channels + c];
        square += sums[(2 * i + 1) * channels + c];
      }
      means[j] = x[c] + sum * share;
      within += square - sum * sum * share;
      group_mean += means[j] * share_of_width;
    }
    for (const double mean : means) between += n * (mean - group_mean) * (mean - group_mean);
    const double variance = std::max(0.0, (within + between) * share * share_of_width);
    const double inverse = 1.0 / std::sqrt(variance + shape.eps);
    for (int64_t c = g * width; c < (g + 1) * width; ++c) {
      affine.scale[c] = static_cast<float>(weight[c] * inverse);
      affine.shift[c] = static_cast<float>(bias[c] - group_mean * weight[c] * inverse);
    }
  }
  return affine;
}

}  // namespace

bool usable(const Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat && !(c10::GradMode::is_enabled() && x.requires_grad());
}

Tensor group_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, const NormShape& shape) {
  const Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
  Tensor y = at::empty_like(x, at::MemoryFormat::ChannelsLast);
  const int64_t channels = x.size(1), rows = x.size(2) * x.size(3);
  const float* source = x.const_data_ptr<float>();
  float* target = y.mutable_data_ptr<float>();
  for (int64_t b = 0; b < x.size(0); ++b, source += rows * channels, target += rows * channels) {
    const auto affine =
        channel_affine({source, weight.const_data_ptr<float>(), bias.const_data_ptr<float>(), rows, channels}, shape);
    const auto apply = shape.silu ? kernels().scale_rows_silu : kernels().scale_rows;
    at::parallel_for(0, rows, items_a_thread(channels * 16), [&](int64_t begin, int64_t end) {
      apply(source + begin * channels, affine.scale.data(), affine.shift.data(), end - begin, channels,
            target + begin * channels);
    });
  }
  return y;
}

Tensor layer_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, double eps) {
  const Tensor x = input.contiguous();
  Tensor y = at::empty_like(x);
  const int64_t width = x.size(-1);
  const float *source = x.const_data_ptr<float>(), *scale = weight.const_data_ptr<float>(), *shift = bias.const_data_ptr<float>();
  float* target = y.mutable_data_ptr<float>();
  at::parallel_for(0, x.numel() / width, items_a_thread(width * 16), [&](int64_t begin, int64_t end) {
    kernels().normalise_rows(source + begin * width, scale, shift, end - begin, width, static_cast<float>(eps),
                             target + begin * width);
  });
  return y;
}

Tensor geglu(const Tensor& input) {
  const Tensor x = input.contiguous();
  const int64_t n = x.size(-1) / 2, rows = x.numel() / (2 * n);
  Shape shape = shape_of(x);
  shape.back() = n;
  Tensor y = at::empty(shape, x.options());
  const float* source = x.const_data_ptr<float>();
  float* target = y.mutable_data_ptr<float>();
  at::parallel_for(0, rows, items_a_thread(n * 32), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) kernels().geglu_row(source + i * 2 * n, n, target + i * n);
  });
  return y;
}

bool small_attention(int64_t keys, int64_t head_dim) { return keys <= 256 && head_dim <= widest_head; }

Tensor attention(const Tensor& q_in, const Tensor& k_in, const Tensor& v_in, int64_t heads) {
  const Tensor q = q_in.contiguous(), k = k_in.contiguous(), v = v_in.contiguous();
  Tensor out = at::empty_like(q);
  const int64_t batch = q.size(0), queries = q.size(1), keys = k.size(1), width = q.size(2), dim = width / heads;
  at::parallel_for(0, batch * heads, items_a_thread(4 * queries * keys * dim), [&](int64_t begin, int64_t end) {
    constexpr int64_t line = 64 / sizeof(float);  // a vector that crosses the end of a cache line is read twice
    std::vector<float> scratch(keys * queries_a_step + line);
    const auto past_line = static_cast<int64_t>(reinterpret_cast<uintptr_t>(scratch.data()) / sizeof(float)) % line;
    float* scores = scratch.data() + (line - past_line) % line;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t b = i / heads, at_head = i % heads * dim;
      kernels().attend(
          {q.const_data_ptr<float>() + b * queries * width + at_head, k.const_data_ptr<float>() + b * keys * width + at_head,
           v.const_data_ptr<float>() + b * keys * width + at_head, out.mutable_data_ptr<float>() + b * queries * width + at_head,
           width, queries, keys, dim},
          scores);
    }
  });
  return out;
}

}  // namespace negativa::nn::cpu
