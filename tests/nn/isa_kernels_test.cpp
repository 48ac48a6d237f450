// The kernels of every instruction set that this machine has, against plain loops in double.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "core/isa.h"
#include "nn/isa/kernels.h"

namespace negativa::nn::cpu {
namespace {

using Floats = std::vector<float>;

Floats random_floats(int64_t count, unsigned seed, float spread = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, spread);
  Floats floats(static_cast<size_t>(count));
  for (auto& x : floats) x = normal(generator);
  return floats;
}

class KernelsOfTheSet : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (GetParam() > machine_isa()) GTEST_SKIP() << "this machine has no " << isa_name(GetParam());
  }
  const Kernels& set() const { return kernels_of(GetParam()); }
};

// Counts around a tile's rows and a vector's lanes; every row alone gives the same bytes.
TEST_P(KernelsOfTheSet, MultiplyAsPlainLoopsDo) {
  for (const int64_t width : {3, 16, 21, 40, 64})
    for (const int64_t rows : {1, 2, 5, 6, 7, 8, 9, 11, 14, 20, 32}) {
      const int64_t parts = 2, depth = 19, panels = (width + panel_width - 1) / panel_width;
      const Floats x = random_floats(parts * rows * depth, 1), matrix = random_floats(parts * depth * width, 2),
                   bias = random_floats(width, 3), start = random_floats(rows * width, 4);
      Floats packed(static_cast<size_t>(panels * parts * depth * panel_width)), out(static_cast<size_t>(rows * width)), one(out);
      for (int64_t i = 0; i < parts * depth; ++i)
        for (int64_t c = 0; c < width; ++c)
          packed[(c / panel_width * parts * depth + i) * panel_width + c % panel_width] = matrix[i * width + c];
      std::vector<const float*> sources, starts;
      for (int64_t i = 0; i < parts * rows; ++i) sources.push_back(&x[i * depth]);
      for (int64_t r = 0; r < rows; ++r) starts.push_back(&start[r * width]);
      set().multiply({rows, parts, depth, width, sources.data(), packed.data(), bias.data(), starts.data(), out.data()});
      for (int64_t r = 0; r < rows; ++r) {
        const float* alone[] = {sources[r], sources[rows + r]};
        set().multiply({1, parts, depth, width, alone, packed.data(), bias.data(), &starts[r], &one[r * width]});
        for (int64_t c = 0; c < width; ++c) {
          double sum = start[r * width + c] + bias[c];
          for (int64_t i = 0; i < parts * depth; ++i)
            sum += double{sources[i / depth * rows + r][i % depth]} * matrix[i * width + c];
          ASSERT_NEAR(out[r * width + c], sum, 3e-5) << rows << "x" << width << " at " << r << "," << c;
        }
      }
      ASSERT_EQ(out, one) << rows << "x" << width;
    }
}

TEST_P(KernelsOfTheSet, AttendAsPlainLoopsDo) {
  for (const auto& [queries, keys, dim] :
       {std::array<int64_t, 3>{64, 64, 16}, {21, 35, 20}, {5, 1, 1}, {16, 77, 32}, {9, 7, 6}}) {
    const int64_t stride = dim + 3;
    const Floats q = random_floats(queries * stride, 1, 3), k = random_floats(keys * stride, 2, 3),
                 v = random_floats(keys * stride, 3);
    Floats out(static_cast<size_t>(queries * stride), 7.0f), scratch(static_cast<size_t>(keys * queries_a_step));
    set().attend({q.data(), k.data(), v.data(), out.data(), stride, queries, keys, dim}, scratch.data());
    for (int64_t i = 0; i < queries; ++i) {
      std::vector<double> weights(static_cast<size_t>(keys));
      double top = -1e30, total = 0;
      for (int64_t j = 0; j < keys; ++j) {
        double score = 0;
        for (int64_t d = 0; d < dim; ++d) score += double{q[i * stride + d]} * k[j * stride + d];
        top = std::max(top, weights[j] = score / std::sqrt(static_cast<double>(dim)));
      }
      for (auto& weight : weights) total += weight = std::exp(weight - top);
      for (int64_t d = 0; d < dim; ++d) {
        double sum = 0;
        for (int64_t j = 0; j < keys; ++j) sum += weights[j] / total * v[j * stride + d];
        ASSERT_NEAR(out[i * stride + d], sum, 1e-5) << queries << " " << keys << " " << dim;
      }
      for (int64_t d = dim; d < stride; ++d) ASSERT_EQ(out[i * stride + d], 7.0f) << "beyond the head";
    }
  }
}

// Scores so far apart that the least ones' exponentials are no floats, or so large that they have no fraction: one key is left.
TEST_P(KernelsOfTheSet, AttendToTheKeyAboveAllOthers) {
  const int64_t queries = 21, keys = 35, dim = 4;
  for (const float size : {20.0f, 300.0f, 4e4f, 1e10f}) {
    Floats q(static_cast<size_t>(queries * dim)), k(static_cast<size_t>(keys * dim)), out(q.size());
    Floats scratch(static_cast<size_t>(keys * queries_a_step));
    const Floats v = random_floats(keys * dim, 1);
    for (int64_t i = 0; i < queries; ++i) q[i * dim] = i % 2 ? size : -size;  // the last key, or the first one
    for (int64_t j = 0; j < keys; ++j) k[j * dim] = size * static_cast<float>(j);
    set().attend({q.data(), k.data(), v.data(), out.data(), dim, queries, keys, dim}, scratch.data());
    for (int64_t i = 0; i < queries * dim; ++i)
      ASSERT_FLOAT_EQ(out[i], v[(i / dim % 2 ? (keys - 1) * dim : 0) + i % dim]) << size << " at " << i;
  }
}

TEST_P(KernelsOfTheSet, AttendPassesOnWhatIsNoNumber) {
  const int64_t queries = 18, keys = 20, dim = 8;
  Floats q = random_floats(queries * dim, 1), out(q.size()), scratch(static_cast<size_t>(keys * queries_a_step));
  const Floats k = random_floats(keys * dim, 2), v = random_floats(keys * dim, 3);
  q[3 * dim] = NAN;
  set().attend({q.data(), k.data(), v.data(), out.data(), dim, queries, keys, dim}, scratch.data());
  for (int64_t i = 0; i < queries * dim; ++i) ASSERT_EQ(std::isnan(out[i]), i / dim == 3) << i;
}

TEST_P(KernelsOfTheSet, WorkOnSingleValuesAsPlainLoopsDo) {
  for (const int64_t width : {1, 7, 16, 43, 96}) {
    const int64_t rows = 5;
    const Floats x = random_floats(rows * width * 2, 1, 4), scale = random_floats(width, 2), shift = random_floats(width, 3);
    Floats y(static_cast<size_t>(rows * width)), z(y), sum(static_cast<size_t>(width)), square(sum);
    set().scale_rows(x.data(), scale.data(), shift.data(), rows, width, y.data());
    set().scale_rows_silu(x.data(), scale.data(), shift.data(), rows, width, z.data());
    set().channel_sums(x.data(), shift.data(), rows, width, sum.data(), square.data());
    for (int64_t c = 0; c < width; ++c) {
      double expected_sum = 0, expected_square = 0;
      for (int64_t i = c; i < rows * width; i += width) {
        const double a = double{x[i]} * scale[c] + shift[c], d = double{x[i]} - shift[c];
        ASSERT_NEAR(y[i], a, 1e-5);
        ASSERT_NEAR(z[i], a / (1 + std::exp(-a)), 1e-5) << a;
        expected_sum += d;
        expected_square += d * d;
      }
      ASSERT_NEAR(sum[c], expected_sum, 1e-4);
      ASSERT_NEAR(square[c], expected_square, 1e-3);
    }
    set().geglu_row(x.data(), width, y.data());
    for (int64_t i = 0; i < width; ++i) {
      const double b = x[width + i];
      ASSERT_NEAR(y[i], x[i] * b * 0.5 * std::erfc(-b / std::sqrt(2.0)), 2e-5) << b;
    }
  }
}

// Sums and differences of four values: the same bytes under every instruction set.
TEST_P(KernelsOfTheSet, TransformTilesAsTheBaselineDoes) {
  const int64_t channels = 48, stride = 70;
  const Floats tile = random_floats(16 * channels, 1), bias = random_floats(channels, 2),
               residual = random_floats(4 * channels, 3), source = random_floats(16 * stride, 4);
  const auto transformed = [&](const Kernels& kernels) {
    Floats target(static_cast<size_t>(16 * stride)), pixels(static_cast<size_t>(4 * channels));
    std::vector<const float*> inputs, residuals;
    std::vector<float*> outputs;
    for (int64_t i = 0; i < 16; ++i) inputs.push_back(&tile[i * channels]);
    for (int64_t i = 0; i < 4; ++i) residuals.push_back(&residual[i * channels]), outputs.push_back(&pixels[i * channels]);
    kernels.transform_input(inputs.data(), channels, target.data(), stride);
    kernels.transform_output(source.data(), stride, bias.data(), residuals.data(), channels, outputs.data());
    return std::pair(target, pixels);
  };
  EXPECT_EQ(transformed(set()), transformed(baseline_kernels));
  EXPECT_FLOAT_EQ(transformed(set()).first[5],
                  tile[5] - tile[2 * channels + 5] - tile[8 * channels + 5] + tile[10 * channels + 5]);
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, KernelsOfTheSet, testing::Values(Isa::baseline, Isa::avx2, Isa::avx512),
                         [](const auto& info) { return isa_name(info.param); });

}  // namespace
}  // namespace negativa::nn::cpu
