#include "nn/cpu_kernels.h"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <cstring>

#include "nn/cpu_targets.h"

namespace negativa::nn::cpu {

namespace {

// exp of x in [-87, 88], 2 ulp: 2^n times a polynomial of the rest (Cephes, expf). Branch-free, so loops over it become vector
// code.
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
  // The lowest bits of so large a float are the integer; unlike a conversion, that is defined for NaN, whose result p already is.
  const float shifted = n + 0x1.8p23f;
  uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 127) << 23;
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

NEGATIVA_CLONES void scale_rows(const float* x, const float* scale, const float* shift, int64_t rows, int64_t channels,
                                float* y) {
  for (int64_t row = 0; row < rows; ++row, x += channels, y += channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) y[c] = x[c] * scale[c] + shift[c];
  }
}

NEGATIVA_CLONES void scale_rows_silu(const float* x, const float* scale, const float* shift, int64_t rows, int64_t channels,
                                     float* y) {
  for (int64_t row = 0; row < rows; ++row, x += channels, y += channels) {
#pragma omp simd
    for (int64_t c = 0; c < channels; ++c) y[c] = silu(x[c] * scale[c] + shift[c]);
  }
}

NEGATIVA_CLONES void geglu_row(const float* x, int64_t n, float* y) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * gelu(x[n + i]);
}

// Each row less its mean, over its standard deviation: three passes over values that stay in the first-level cache.
NEGATIVA_CLONES void normalise_rows(const float* x, const float* weight, const float* bias, int64_t rows, int64_t width,
                                    float eps, float* y) {
  const float share = 1.0f / static_cast<float>(width);
  for (int64_t row = 0; row < rows; ++row, x += width, y += width) {
    float sum = 0, square = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < width; ++i) sum += x[i];
    const float mean = sum * share;
#pragma omp simd reduction(+ : square)
    for (int64_t i = 0; i < width; ++i) square += (x[i] - mean) * (x[i] - mean);
    const float inverse = 1.0f / std::sqrt(square * share + eps);
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) y[i] = (x[i] - mean) * inverse * weight[i] + bias[i];
  }
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
      channel_sums(x + i * rows_a_chunk * channels, x, std::min(rows_a_chunk, rows - i * rows_a_chunk), channels,
                   &sums[2 * i * channels], &sums[(2 * i + 1) * channels]);
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
    const auto apply = shape.silu ? scale_rows_silu : scale_rows;
    at::parallel_for(0, rows, rows_a_chunk, [&](int64_t begin, int64_t end) {
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
  at::parallel_for(0, x.numel() / width, 64, [&](int64_t begin, int64_t end) {
    normalise_rows(source + begin * width, scale, shift, end - begin, width, static_cast<float>(eps), target + begin * width);
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
  at::parallel_for(0, rows, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) geglu_row(source + i * 2 * n, n, target + i * n);
  });
  return y;
}

namespace {

// As many queries are worked on together as there are lanes, one a lane: sums and maxima over keys need no shuffling.
constexpr int64_t widest_head = 32;

struct Head {
  const float *q, *k, *v;
  float* out;
  int64_t stride;  // floats from one token to the next
  int64_t queries, keys, dim;
};

// sums[r] = sum over i of scalars[r * row + i * column] * vectors[i], for n values of r, whose sums stay in registers and share
// each vector.
template <int n>
inline __attribute__((always_inline)) void sums_of(const float* scalars, int64_t row, int64_t column, const Lanes* vectors,
                                                   int64_t count, Lanes* sums) {
  Lanes a[n]{};
  for (int64_t i = 0; i < count; ++i, scalars += column) {
    const Lanes v = vectors[i];
#pragma GCC unroll 8
    for (int r = 0; r < n; ++r) a[r] += scalars[r * row] * v;
  }
  for (int r = 0; r < n; ++r) sums[r] = a[r];
}

// The same for any number of sums: n at a time, then fewer for the rest.
template <int n = 8>
inline __attribute__((always_inline)) void all_sums(const float* scalars, int64_t row, int64_t column, const Lanes* vectors,
                                                    int64_t count, Lanes* sums, int64_t rows) {
  int64_t r = 0;
  for (; r + n <= rows; r += n) sums_of<n>(scalars + r * row, row, column, vectors, count, sums + r);
  if constexpr (n > 1) all_sums<n / 2>(scalars + r * row, row, column, vectors, count, sums + r, rows - r);
}

// exp_fast of each lane, for values of 0 and less.
inline __attribute__((always_inline)) void exp_lanes(Lanes* lanes_of_x) {
  using Bits __attribute__((vector_size(sizeof(Lanes)), aligned(alignof(float)), may_alias)) = int32_t;
  constexpr float to_integer = 0x1.8p23f;  // a float this large has no fraction, and its lowest bits are the integer
  const Lanes x = *lanes_of_x < -87.0f ? Lanes{} - 87.0f : *lanes_of_x;
  Lanes n = x * 1.44269504088896341f + to_integer;
  const Bits power_bits = (*reinterpret_cast<const Bits*>(&n) + 127) << 23;
  n -= to_integer;
  const Lanes r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  Lanes p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  *lanes_of_x = p * *reinterpret_cast<const Lanes*>(&power_bits);
}

// Softmax over the keys, for each lane by itself, not divided by the sums, which go to *sum.
inline __attribute__((always_inline)) void exponentials(Lanes* scores, int64_t keys, Lanes* sum) {
  Lanes top = scores[0], total{};
  for (int64_t j = 1; j < keys; ++j) top = scores[j] > top ? scores[j] : top;
  for (int64_t j = 0; j < keys; ++j) {
    Lanes s = scores[j] - top;
    exp_lanes(&s);
    scores[j] = s;
    total += s;
  }
  *sum = total;
}

// Softmax attention of one head. scratch: lanes floats a key.
NEGATIVA_CLONES void attend(const Head& h, float* scratch) {
  Lanes* scores = reinterpret_cast<Lanes*>(scratch);
  const float scale = 1.0f / std::sqrt(static_cast<float>(h.dim));
  Lanes queries[widest_head], sums[widest_head];
  for (int64_t first = 0; first < h.queries; first += lanes) {
    const int64_t count = std::min(lanes, h.queries - first);
    for (int64_t d = 0; d < h.dim; ++d)
      for (int64_t i = 0; i < lanes; ++i) queries[d][i] = h.q[(first + std::min(i, count - 1)) * h.stride + d] * scale;
    all_sums(h.k, h.stride, 1, queries, h.dim, scores, h.keys);
    Lanes total;
    exponentials(scores, h.keys, &total);
    all_sums(h.v, 1, h.stride, scores, h.keys, sums, h.dim);
    const Lanes share = 1.0f / total;
    for (int64_t d = 0; d < h.dim; ++d) sums[d] *= share;
    for (int64_t i = 0; i < count; ++i)
      for (int64_t d = 0; d < h.dim; ++d) h.out[(first + i) * h.stride + d] = sums[d][i];
  }
}

}  // namespace

bool small_attention(int64_t keys, int64_t head_dim) { return keys <= 256 && head_dim <= widest_head; }

Tensor attention(const Tensor& q_in, const Tensor& k_in, const Tensor& v_in, int64_t heads) {
  const Tensor q = q_in.contiguous(), k = k_in.contiguous(), v = v_in.contiguous();
  Tensor out = at::empty_like(q);
  const int64_t batch = q.size(0), queries = q.size(1), keys = k.size(1), width = q.size(2), dim = width / heads;
  at::parallel_for(0, batch * heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scores(keys * lanes);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t b = i / heads, at_head = i % heads * dim;
      attend({q.const_data_ptr<float>() + b * queries * width + at_head, k.const_data_ptr<float>() + b * keys * width + at_head,
              v.const_data_ptr<float>() + b * keys * width + at_head,
              out.mutable_data_ptr<float>() + b * queries * width + at_head, width, queries, keys, dim},
             scores.data());
    }
  });
  return out;
}

}  // namespace negativa::nn::cpu
