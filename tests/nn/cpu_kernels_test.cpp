#include "nn/cpu_kernels.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/memory.h"
#include "nn/layers.h"

namespace negativa::nn {
namespace {

double worst(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

// Draws the same numbers in every run: a group whose values happen to lie close together divides by little and loses digits.
struct Seeded {
  Seeded() { at::manual_seed(0); }
};
class GroupNormKernel : public testing::Test, Seeded {};
class PackedWeights : public testing::Test, Seeded {};

TEST_F(GroupNormKernel, EqualsTheLibrarysInDouble) {
  const c10::InferenceMode inference;
  for (const auto& [channels, side, groups] : {std::array<int64_t, 3>{32, 16, 16}, {24, 7, 8}, {96, 33, 8}, {6, 1, 3}}) {
    const Tensor x = (at::randn({2, channels, side, side}) * 3 + 5).contiguous(at::MemoryFormat::ChannelsLast);
    const Tensor weight = at::randn({channels}), bias = at::randn({channels});
    const Tensor expected = at::group_norm(x.to(at::kDouble), groups, weight.to(at::kDouble), bias.to(at::kDouble), 1e-5);
    EXPECT_LT(worst(cpu::group_norm(x, weight, bias, {groups, 1e-5, false}), expected), 1e-5) << channels;
    EXPECT_LT(worst(cpu::group_norm(x, weight, bias, {groups, 1e-5, true}), at::silu(expected)), 1e-5) << channels;
    EXPECT_LT(worst(cpu::group_norm(x.contiguous(), weight, bias, {groups, 1e-5, false}), expected), 1e-5) << "NCHW input";
  }
}

// sdxl.md, pitfall 17: eps decides where the variance is small.
TEST_F(GroupNormKernel, KeepsTheVarianceOfANearConstantInput) {
  const c10::InferenceMode inference;
  const Tensor x = (at::randn({1, 8, 8, 8}, at::kDouble) * 1e-3 + 100).to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor one = at::ones({8}), zero = at::zeros({8});
  for (const double eps : {1e-5, 1e-6}) {
    const Tensor expected = at::group_norm(x.to(at::kDouble), 2, one.to(at::kDouble), zero.to(at::kDouble), eps);
    EXPECT_LT(worst(cpu::group_norm(x, one, zero, {2, eps, false}), expected), 2e-2)
        << eps;  // values about 0.3 and 0.7; fp32 of 100 keeps 1e-5
  }
}

TEST(LayerNormKernel, EqualsTheLibrarysInDouble) {
  at::manual_seed(0);
  const c10::InferenceMode inference;
  for (const int64_t width : {1, 7, 64, 130}) {
    const Tensor x = at::randn({3, 5, width}) * 3 + 5, weight = at::randn({width}), bias = at::randn({width});
    const Tensor expected = at::layer_norm(x.to(at::kDouble), {width}, weight.to(at::kDouble), bias.to(at::kDouble), 1e-5);
    EXPECT_LT(worst(cpu::layer_norm(x, weight, bias, 1e-5), expected), 1e-5) << width;
  }
}

TEST(GegluKernel, EqualsTheExactGelu) {
  const c10::InferenceMode inference;
  const Tensor x = at::cat({at::randn({3, 5, 26}) * 4, at::linspace(-30, 30, 3 * 5 * 26).view({3, 5, 26})}, -1);
  const auto halves = x.to(at::kDouble).chunk(2, -1);
  EXPECT_LT(worst(cpu::geglu(x), halves[0] * at::gelu(halves[1])), 2e-5);
}

TEST(AttentionKernel, EqualsSoftmaxAttentionInDouble) {
  const c10::InferenceMode inference;
  for (const auto& [queries, keys, heads, dim] :
       {std::array<int64_t, 4>{64, 64, 4, 16}, {16, 77, 8, 16}, {7, 1, 1, 4}, {5, 154, 2, 32}, {130, 35, 3, 20}}) {
    const Tensor q = at::randn({2, queries, heads * dim}) * 3, k = at::randn({2, keys, heads * dim}) * 3,
                 v = at::randn({2, keys, heads * dim});
    const auto split = [&, heads = heads](const Tensor& t) {
      return t.to(at::kDouble).view({2, t.size(1), heads, -1}).transpose(1, 2);
    };
    const Tensor scores = at::matmul(split(q), split(k).transpose(2, 3)) / std::sqrt(static_cast<double>(dim));
    const Tensor expected = at::matmul(at::softmax(scores, -1), split(v)).transpose(1, 2).flatten(2);
    EXPECT_LT(worst(cpu::attention(q, k, v, heads), expected), 1e-5) << queries << " " << keys;
  }
}

TEST(Linear, PackedWeightsGiveTheSame) {
  const c10::InferenceMode inference;
  for (const bool has_bias : {true, false}) {
    Linear linear(20, 12, has_bias);
    linear.weight = at::randn({12, 20});
    linear.bias = at::randn({12});
    const Tensor x = at::randn({2, 7, 20}), residual = at::randn({2, 7, 12}), expected = linear.forward(x);
    Walk walk;
    walk("linear", linear);
    pack_small(walk);
    ASSERT_TRUE(linear.packed.defined());
    EXPECT_LT(worst(linear.forward(x), expected), 1e-5);
    EXPECT_LT(worst(linear.forward(x, Adapters::none(), residual), expected + residual), 1e-5);
  }
}

TEST(CpuKernels, AreLeftAloneWhereGradientsAreWanted) {
  EXPECT_FALSE(cpu::usable(at::zeros({1}).requires_grad_(true)));
  EXPECT_TRUE(cpu::usable(at::zeros({1})));
  EXPECT_FALSE(cpu::usable(at::zeros({1}, at::kDouble)));
}

// Widths around a panel's, row counts around a tile's and a task's.
TEST_F(PackedWeights, GiveALinearLayersProductInDouble) {
  const c10::InferenceMode inference;
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{20, 12}, {1, 1}, {7, 16}, {64, 40}, {33, 70}, {128, 128}})
    for (const int64_t rows : {1, 2, 7, 8, 21, 64, 77, 130}) {
      const Tensor x = at::randn({rows, in}), weight = at::randn({out, in}), bias = at::randn({out}),
                   residual = at::randn({rows, out});
      const Tensor product = at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t()), packed = cpu::pack_linear(weight);
      EXPECT_LT(worst(cpu::packed_linear(x, packed, out, {Tensor(), Tensor()}), product), 1e-4)
          << in << " " << out << " " << rows;
      EXPECT_LT(worst(cpu::packed_linear(x, packed, out, {bias, residual}), product + bias + residual), 1e-4)
          << in << " " << out << " " << rows;
    }
}

TEST_F(PackedWeights, GiveAConvolutionInDouble) {
  const c10::InferenceMode inference;
  for (const auto& [kernel, stride, padding] : {std::array<int64_t, 3>{3, 1, 1}, {3, 2, 1}, {3, 2, 0}, {1, 1, 0}, {5, 1, 2}})
    for (const auto& [in, out] : {std::pair<int64_t, int64_t>{4, 32}, {24, 3}, {32, 48}}) {
      const Tensor x = at::randn({2, in, 9, 11}), weight = at::randn({out, in, kernel, kernel}), bias = at::randn({out});
      const Tensor expected =
          at::conv2d(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), {stride, stride}, {padding, padding});
      const cpu::ConvShape shape{kernel, stride, padding, out};
      const Tensor packed = cpu::pack_conv(weight, shape), y = cpu::packed_conv2d(x, packed, {bias, Tensor()}, shape);
      EXPECT_LT(worst(y, expected), 2e-4) << kernel << " " << stride << " " << in;
      EXPECT_LT(worst(cpu::packed_conv2d(x, packed, {bias, y}, shape), 2 * expected), 4e-4) << "residual";
    }
}

class LargeWeights : public testing::Test, Seeded {};

TEST_F(LargeWeights, GiveALinearLayersProductInDoubleInEitherOrderOfMemory) {
  const c10::InferenceMode inference;
  for (const int64_t rows : {1, 16, 77}) {
    const Tensor x = at::randn({rows, 600}), weight = at::randn({900, 600}), bias = at::randn({900}),
                 residual = at::randn({900, rows}).t();
    const Tensor product = at::matmul(x.to(at::kDouble), weight.to(at::kDouble).t());
    for (const Tensor& stored : {weight, weight.t().contiguous().t()}) {
      EXPECT_LT(worst(cpu::linear(x, stored, {Tensor(), Tensor()}), product), 1e-3) << rows;
      EXPECT_LT(worst(cpu::linear(x, stored, {bias, residual}), product + bias + residual), 1e-3) << rows;
    }
    const Tensor back = cpu::linear(product.to(at::kFloat), weight.t(), {Tensor(), Tensor()});
    EXPECT_LT(worst(back, at::matmul(product, weight.to(at::kDouble))) / back.abs().max().item<double>(), 1e-5)
        << "with the weight turned over";
  }
}

TEST_F(LargeWeights, GiveAConvolutionInDoubleInEitherOrderOfMemory) {
  const c10::InferenceMode inference;
  for (const auto& [kernel, stride, padding] : {std::array<int64_t, 3>{3, 1, 1}, {3, 2, 1}, {3, 2, 0}, {1, 1, 0}}) {
    const Tensor x = at::randn({2, 24, 9, 11}), weight = at::randn({40, 24, kernel, kernel}), bias = at::randn({40});
    const Tensor expected =
        at::conv2d(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), {stride, stride}, {padding, padding});
    const cpu::ConvShape shape{kernel, stride, padding, 40};
    for (const Tensor& stored : {weight, weight.contiguous(at::MemoryFormat::ChannelsLast)}) {
      const Tensor y = cpu::conv2d(x, stored, {bias, Tensor()}, shape);
      EXPECT_LT(worst(y, expected), 2e-4) << kernel << " " << stride;
      EXPECT_LT(worst(cpu::conv2d(x, stored, {bias, y}, shape), 2 * expected), 4e-4) << "residual";
    }
  }
}

// Threads share out whole rows, tiles and heads.
TEST_F(PackedWeights, AndEveryKernelGiveTheSameBytesOnAnyNumberOfThreads) {
  const c10::InferenceMode inference;
  const Tensor x = at::randn({2, 48, 33, 31}), weight = at::randn({64, 48, 3, 3}), tokens = at::randn({700, 48}),
               matrix = at::randn({80, 48}), ones = at::ones({48}), zeros = at::zeros({48}), q = at::randn({2, 100, 48});
  const auto of_all = [&] {
    std::vector<Tensor> results = {cpu::group_norm(x, ones, zeros, {8, 1e-5, true}),
                                   cpu::layer_norm(tokens, ones, zeros, 1e-5),
                                   cpu::geglu(tokens),
                                   cpu::attention(q, q, q, 3),
                                   cpu::packed_linear(tokens, cpu::pack_linear(matrix), 80, {Tensor(), Tensor()}),
                                   cpu::transforming_conv2d(x, weight, {Tensor(), Tensor()})};
    for (const int64_t stride : {1, 2}) {
      const cpu::ConvShape shape{3, stride, 1, 64};
      results.push_back(cpu::packed_conv2d(x, cpu::pack_conv(weight, shape), {Tensor(), Tensor()}, shape));
    }
    return results;
  };
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto alone = of_all();
  at::set_num_threads(3);
  const auto shared = of_all();
  at::set_num_threads(before);
  for (size_t i = 0; i < alone.size(); ++i) EXPECT_TRUE(at::equal(alone[i], shared[i])) << i;
}

// Why a picture made among many is the picture made alone, whatever the threads.
// What a stage of large convolutions kept is not to lie beside the next one.
TEST_F(LargeWeights, LeaveNoMemoryWhenItIsFreed) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer keeps what is freed";
#endif
  const Tensor x = at::randn({2, 640, 16, 16}), weight = at::randn({640, 640, 3, 3});
  const int64_t kept = 4 * cpu::transformed_elements(weight);
  const auto convolve = [&] { return cpu::transforming_conv2d(x, weight, {Tensor(), Tensor()}); };
  const Tensor first = convolve();
  const int64_t with = resident_bytes();
  cpu::free_kept_memory();
  trim_heap();
  EXPECT_LT(resident_bytes(), with - kept / 2);
  EXPECT_TRUE(at::equal(convolve(), first)) << "and take it anew";
}

// Channels on both sides of where tasks grow, an odd picture, and as many pixels as weights are transformed for.
TEST_F(LargeWeights, GiveAConvolutionInDoubleWhereTheyAreTransformedAtEachCall) {
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{48, 32}, {272, 48}})
    for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      const Tensor x = at::randn({2, in, 17, 16}), bias = at::randn({out}),
                   weight = (at::randn({out, in, 3, 3}) / std::sqrt(9.0 * static_cast<double>(in))).contiguous(format);
      const cpu::ConvShape shape{3, 1, 1, out};
      ASSERT_TRUE(cpu::winograd_pays(2 * 16 * 16, weight, shape));
      ASSERT_FALSE(cpu::winograd_pays(2 * 15 * 16, weight, shape));
      const Tensor expected = at::conv2d(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), at::IntArrayRef{1, 1},
                                         at::IntArrayRef{1, 1});
      const Tensor y = cpu::transforming_conv2d(x, weight, {bias, Tensor()});
      EXPECT_LT(worst(y, expected), 1e-5) << in;
      EXPECT_LT(worst(cpu::transforming_conv2d(x, weight, {bias, y}), 2 * expected), 2e-5) << "residual";
      EXPECT_TRUE(at::equal(cpu::transforming_conv2d(x.slice(0, 1), weight, {bias, Tensor()}), y.slice(0, 1))) << "alone";
    }
}

TEST_F(PackedWeights, GiveARowTheSameBytesWhateverRowsAreWithIt) {
  const c10::InferenceMode inference;
  const Tensor x = at::randn({150, 30}), bias = at::randn({40}), packed = cpu::pack_linear(at::randn({40, 30}));
  const Tensor together = cpu::packed_linear(x, packed, 40, {bias, Tensor()});
  for (int64_t row = 0; row < x.size(0); ++row)
    ASSERT_TRUE(at::equal(cpu::packed_linear(x.narrow(0, row, 1), packed, 40, {bias, Tensor()}), together.narrow(0, row, 1)))
        << row;
}

TEST(Conv2d, PackedWeightsGiveTheSamePicture) {
  const c10::InferenceMode inference;
  for (const auto& [kernel, stride, padding] : {std::array<int64_t, 3>{3, 1, 1}, {3, 2, 1}, {3, 2, 0}, {1, 1, 0}}) {
    Conv2d conv(6, 10, kernel, stride, padding);
    conv.weight = at::randn({10, 6, kernel, kernel});
    conv.bias = at::randn({10});
    const Tensor x = at::randn({2, 6, 9, 11}), expected = conv.forward(x);
    Walk walk;
    walk("conv", conv);
    pack_small(walk);
    ASSERT_TRUE(conv.packed.defined());
    EXPECT_LT(worst(conv.forward(x), expected), 1e-4);
    EXPECT_LT(worst(conv.plain(x, expected), 2 * expected), 1e-4) << "residual";
  }
}

}  // namespace
}  // namespace negativa::nn
