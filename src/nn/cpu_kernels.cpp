#include "nn/cpu_kernels.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <cstring>

#define NEGATIVA_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))

namespace negativa::nn::cpu {

namespace {

// exp of x in [-87, 88], 2 ulp: 2^n times a polynomial of the rest (Cephes, expf). Branch-free, so loops over it become vector code.
inline __attribute__((always_inline)) float exp_fast(float x) {
  x = std::min(std::max(x, -87.0f), 88.0f);
  const float n = std::nearbyint(x * 1.44269504088896341f);
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return p * power;
}

inline __attribute__((always_inline)) float silu(float x) { return x / (1.0f + exp_fast(-x)); }

// x Phi(x), Phi by Abramowitz & Stegun 7.1.26: absolute error of erf below 1.5e-7.
inline __attribute__((always_inline)) float gelu(float x) {
  const float z = std::fabs(x) * 0.70710678118654752f;
  const float t = 1.0f / (1.0f + 0.3275911f * z);
  const float poly = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) * t;
  const float tail = 0.5f * poly * exp_fast(-z * z);  // 1 - Phi(|x|)
  return x * (x < 0 ? tail : 1.0f - tail);
}

// Sums over rows [begin, end) of x - shift and its square, per channel.
NEGATIVA_CLONES void channel_sums(const float* x, const float* shift, int64_t rows, int64_t channels, float* sum, float* square) {
  std::fill_n(sum, channels, 0.0f);
  std::fill_n(square, channels, 0.0f);
  for (int64_t row = 0; row < rows; ++row, x += channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) {
      const float d = x[c] - shift[c];
      sum[c] += d;
      square[c] += d * d;
    }
  }
}

NEGATIVA_CLONES void scale_rows(const float* x, const float* scale, const float* shift, int64_t rows, int64_t channels, float* y) {
  for (int64_t row = 0; row < rows; ++row, x += channels, y += channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) y[c] = x[c] * scale[c] + shift[c];
  }
}

NEGATIVA_CLONES void scale_rows_silu(const float* x, const float* scale, const float* shift, int64_t rows, int64_t channels, float* y) {
  for (int64_t row = 0; row < rows; ++row, x += channels, y += channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) y[c] = silu(x[c] * scale[c] + shift[c]);
  }
}

NEGATIVA_CLONES void geglu_row(const float* x, int64_t n, float* y) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * gelu(x[n + i]);
}

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
  at::parallel_for(0, chunks, 8, [&, x = x, rows = rows, channels = channels](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      channel_sums(x + i * rows_a_chunk * channels, x, std::min(rows_a_chunk, rows - i * rows_a_chunk), channels, &sums[2 * i * channels],
                   &sums[(2 * i + 1) * channels]);
  });
  ChannelAffine affine{std::vector<float>(channels), std::vector<float>(channels)};
  const int64_t width = channels / shape.groups;
  const double n = static_cast<double>(rows);
  for (int64_t g = 0; g < shape.groups; ++g) {
    double group_mean = 0, within = 0, between = 0;
    std::vector<double> means(width);
    for (int64_t j = 0; j < width; ++j) {
      const int64_t c = g * width + j;
      double sum = 0, square = 0;
      for (int64_t i = 0; i < chunks; ++i) {
        sum += sums[2 * i * channels + c];
        square += sums[(2 * i + 1) * channels + c];
      }
      means[j] = x[c] + sum / n;
      within += square - sum * sum / n;
      group_mean += means[j] / static_cast<double>(width);
    }
    for (const double mean : means) between += n * (mean - group_mean) * (mean - group_mean);
    const double variance = std::max(0.0, (within + between) / (n * static_cast<double>(width)));
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
  return x.is_cpu() && x.scalar_type() == at::kFloat && c10::InferenceMode::is_enabled();
}

Tensor group_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, const NormShape& shape) {
  const Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
  Tensor y = at::empty_like(x, at::MemoryFormat::ChannelsLast);
  const int64_t channels = x.size(1), rows = x.size(2) * x.size(3);
  const float* source = x.const_data_ptr<float>();
  float* target = y.mutable_data_ptr<float>();
  for (int64_t b = 0; b < x.size(0); ++b, source += rows * channels, target += rows * channels) {
    const auto affine = channel_affine({source, weight.const_data_ptr<float>(), bias.const_data_ptr<float>(), rows, channels}, shape);
    const auto apply = shape.silu ? scale_rows_silu : scale_rows;
    at::parallel_for(0, rows, rows_a_chunk, [&](int64_t begin, int64_t end) {
      apply(source + begin * channels, affine.scale.data(), affine.shift.data(), end - begin, channels, target + begin * channels);
    });
  }
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
  at::parallel_for(0, rows, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) geglu_row(source + i * 2 * n, n, target + i * n);
  });
  return y;
}

namespace {

constexpr int64_t lanes = 16;
using Lanes = float __attribute__((vector_size(lanes * sizeof(float)), aligned(alignof(float))));  // split up where the CPU has narrower ones
constexpr int64_t query_rows = 4;  // queries that share one pass over keys and values: their sums stay in registers

int64_t padded(int64_t n) { return (n + lanes - 1) / lanes * lanes; }

struct Head {
  const float *q, *k, *v;
  float* out;
  int64_t stride;  // floats from one token to the next
  int64_t queries, keys, dim;
};

// Room for one head: keys transposed and scaled, values and scores, each row padded to whole lanes with zeros.
struct HeadScratch {
  HeadScratch(int64_t keys, int64_t dim)
      : keys_t(dim * padded(keys)), values(keys * padded(dim)), scores(query_rows * padded(keys)), sums(query_rows * padded(dim)) {}
  std::vector<float> keys_t, values, scores, sums;
};

// target[r][0..n) = sum over i of left[r][i] * right[i][0..n), n a multiple of lanes; row r of `left` is left_rows[r].
inline __attribute__((always_inline)) void four_rows(const float* const* left_rows, const float* right, int64_t count, int64_t n, float* target) {
  for (int64_t c = 0; c < n; c += lanes) {
    Lanes a0{}, a1{}, a2{}, a3{};
    for (int64_t i = 0; i < count; ++i) {
      const Lanes b = *reinterpret_cast<const Lanes*>(right + i * n + c);
      a0 += left_rows[0][i] * b;
      a1 += left_rows[1][i] * b;
      a2 += left_rows[2][i] * b;
      a3 += left_rows[3][i] * b;
    }
    *reinterpret_cast<Lanes*>(target + c) = a0;
    *reinterpret_cast<Lanes*>(target + n + c) = a1;
    *reinterpret_cast<Lanes*>(target + 2 * n + c) = a2;
    *reinterpret_cast<Lanes*>(target + 3 * n + c) = a3;
  }
}

// Softmax of scores [0, keys) in place, not divided by their sum, which is returned. The row is padded to whole lanes, so there is no tail.
inline __attribute__((always_inline)) float exponentials(float* scores, int64_t keys) {
  constexpr float nothing = -1e30f;
  std::fill(scores + keys, scores + padded(keys), nothing);
  Lanes top = *reinterpret_cast<const Lanes*>(scores), total{};
  for (int64_t j = lanes; j < keys; j += lanes) {
    const Lanes s = *reinterpret_cast<const Lanes*>(scores + j);
    top = s > top ? s : top;
  }
  float greatest = top[0];
  for (int64_t i = 1; i < lanes; ++i) greatest = std::max(greatest, top[i]);
  for (int64_t j = 0; j < keys; j += lanes) {
    Lanes s = *reinterpret_cast<const Lanes*>(scores + j);
#pragma omp simd
    for (int64_t i = 0; i < lanes; ++i) s[i] = exp_fast(s[i] - greatest);
    *reinterpret_cast<Lanes*>(scores + j) = s;
    total += s;
  }
  float sum = 0;
  for (int64_t i = 0; i < lanes; ++i) sum += total[i];
  return sum;
}

NEGATIVA_CLONES void attend(const Head& h, HeadScratch& scratch) {
  const int64_t keys = padded(h.keys), dim = padded(h.dim);
  const float scale = 1.0f / std::sqrt(static_cast<float>(h.dim));
  for (int64_t j = 0; j < h.keys; ++j) {
    for (int64_t d = 0; d < h.dim; ++d) scratch.keys_t[d * keys + j] = h.k[j * h.stride + d] * scale;
    for (int64_t d = 0; d < h.dim; ++d) scratch.values[j * dim + d] = h.v[j * h.stride + d];
  }
  for (int64_t first = 0; first < h.queries; first += query_rows) {
    const int64_t rows = std::min(query_rows, h.queries - first);
    const float *q[query_rows], *p[query_rows];
    float total[query_rows];
    for (int64_t r = 0; r < query_rows; ++r) q[r] = h.q + (first + std::min(r, rows - 1)) * h.stride;
    four_rows(q, scratch.keys_t.data(), h.dim, keys, scratch.scores.data());
    for (int64_t r = 0; r < query_rows; ++r) {
      p[r] = scratch.scores.data() + r * keys;
      total[r] = exponentials(scratch.scores.data() + r * keys, h.keys);
    }
    four_rows(p, scratch.values.data(), h.keys, dim, scratch.sums.data());
    for (int64_t r = 0; r < rows; ++r) {
      float* out = h.out + (first + r) * h.stride;
      for (int64_t d = 0; d < h.dim; ++d) out[d] = scratch.sums[r * dim + d] / total[r];
    }
  }
}

}  // namespace

bool small_attention(int64_t keys, int64_t head_dim) { return keys <= 256 && head_dim <= 32; }

Tensor attention(const Tensor& q_in, const Tensor& k_in, const Tensor& v_in, int64_t heads) {
  const Tensor q = q_in.contiguous(), k = k_in.contiguous(), v = v_in.contiguous();
  Tensor out = at::empty_like(q);
  const int64_t batch = q.size(0), queries = q.size(1), keys = k.size(1), width = q.size(2), dim = width / heads;
  at::parallel_for(0, batch * heads, 1, [&](int64_t begin, int64_t end) {
    HeadScratch scratch(keys, dim);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t b = i / heads, at_head = i % heads * dim;
      attend({q.const_data_ptr<float>() + b * queries * width + at_head, k.const_data_ptr<float>() + b * keys * width + at_head,
              v.const_data_ptr<float>() + b * keys * width + at_head, out.mutable_data_ptr<float>() + b * queries * width + at_head, width, queries,
              keys, dim},
             scratch);
    }
  });
  return out;
}

}  // namespace negativa::nn::cpu
