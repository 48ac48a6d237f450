#include "nn/cpu_kernels.h"

#include <gtest/gtest.h>

#include "nn/layers.h"

namespace negativa::nn {
namespace {

double worst(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(GroupNormKernel, EqualsTheLibrarysInDouble) {
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
TEST(GroupNormKernel, KeepsTheVarianceOfANearConstantInput) {
  const c10::InferenceMode inference;
  const Tensor x = (at::randn({1, 8, 8, 8}, at::kDouble) * 1e-3 + 100).to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor one = at::ones({8}), zero = at::zeros({8});
  for (const double eps : {1e-5, 1e-6}) {
    const Tensor expected = at::group_norm(x.to(at::kDouble), 2, one.to(at::kDouble), zero.to(at::kDouble), eps);
    EXPECT_LT(worst(cpu::group_norm(x, one, zero, {2, eps, false}), expected), 2e-2) << eps;  // values about 0.3 and 0.7; fp32 of 100 keeps 1e-5
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
  for (const auto& [queries, keys, heads, dim] : {std::array<int64_t, 4>{64, 64, 4, 16}, {16, 77, 8, 16}, {7, 1, 1, 4}, {5, 154, 2, 32}, {130, 35, 3, 20}}) {
    const Tensor q = at::randn({2, queries, heads * dim}) * 3, k = at::randn({2, keys, heads * dim}) * 3, v = at::randn({2, keys, heads * dim});
    const auto split = [&, heads = heads](const Tensor& t) { return t.to(at::kDouble).view({2, t.size(1), heads, -1}).transpose(1, 2); };
    const Tensor scores = at::matmul(split(q), split(k).transpose(2, 3)) / std::sqrt(static_cast<double>(dim));
    const Tensor expected = at::matmul(at::softmax(scores, -1), split(v)).transpose(1, 2).flatten(2);
    EXPECT_LT(worst(cpu::attention(q, k, v, heads), expected), 1e-5) << queries << " " << keys;
  }
}

TEST(Linear, WeightsLaidOutForTheCpuGiveTheSame) {
  const c10::InferenceMode inference;
  for (const bool has_bias : {true, false}) {
    Linear linear(20, 12, has_bias);
    linear.weight = at::randn({12, 20});
    linear.bias = at::randn({12});
    const Tensor x = at::randn({2, 7, 20}), residual = at::randn({2, 7, 12}), expected = linear.forward(x);
    Walk walk;
    walk("linear", linear);
    lay_out(walk);
    ASSERT_TRUE(cpu::is_laid_out_linear(linear.weight));
    EXPECT_LT(worst(linear.forward(x), expected), 1e-5);
    EXPECT_LT(worst(linear.forward(x, Adapters::none(), residual), expected + residual), 1e-5);
  }
}

TEST(CpuKernels, AreLeftAloneWhereGradientsAreWanted) {
  EXPECT_FALSE(cpu::usable(at::zeros({1})));
  const c10::InferenceMode inference;
  EXPECT_TRUE(cpu::usable(at::zeros({1})));
  EXPECT_FALSE(cpu::usable(at::zeros({1}, at::kDouble)));
}

TEST(Conv2d, WeightsLaidOutForTheCpuGiveTheSamePicture) {
  const c10::InferenceMode inference;
  for (const auto& [kernel, stride, padding] : {std::array<int64_t, 3>{3, 1, 1}, {3, 2, 1}, {3, 2, 0}, {1, 1, 0}}) {
    Conv2d conv(6, 10, kernel, stride, padding);
    conv.weight = at::randn({10, 6, kernel, kernel});
    conv.bias = at::randn({10});
    const Tensor x = at::randn({2, 6, 9, 11}), expected = conv.forward(x);
    Walk walk;
    walk("conv", conv);
    lay_out(walk);
    ASSERT_TRUE(cpu::is_laid_out_conv(conv.weight));
    EXPECT_LT(worst(conv.forward(x), expected), 1e-4);
    EXPECT_LT(worst(conv.forward(x, expected), 2 * expected), 1e-4) << "residual";
  }
}

}  // namespace
}  // namespace negativa::nn
