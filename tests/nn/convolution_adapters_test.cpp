// Adapters of convolutions that are too wide for a changed weight of their own: the product is computed beside the layer.
#include <gtest/gtest.h>

#include "core/generator.h"
#include "nn/layers.h"

namespace negativa::nn {
namespace {

constexpr int64_t in = 352, out = 336, rank = 3;  // 3 x 3: more than 2^20 numbers

Conv2d wide(int64_t stride) {
  Generator generator(1);
  Conv2d conv(in, out, 3, stride, 1);
  conv.weight = (generator.randn({out, in, 3, 3}) / 50).contiguous(at::MemoryFormat::ChannelsLast);
  conv.bias = generator.randn({out});
  conv.name = "conv";
  return conv;
}

AdapterTerm product(std::vector<float> scales) {
  Generator generator(2);
  return {generator.randn({rank, in, 3, 3}) / 50, generator.randn({out, rank, 1, 1}), std::move(scales)};
}

Tensor with_weight(Conv2d conv, const AdapterTerm& term, double scale, const Tensor& x) {
  conv.weight = conv.weight + scale * at::mm(term.up.flatten(1), term.down.flatten(1)).view(conv.weight.sizes());
  return conv.plain(x);
}

double apart(const Tensor& a, const Tensor& b) { return ((a - b).norm() / b.norm()).item<double>(); }

}  // namespace

TEST(WideConvolution, WithAProductIsTheConvolutionOfTheChangedWeight) {
  const c10::InferenceMode inference;
  for (const int64_t stride : {1, 2}) {
    const Conv2d conv = wide(stride);
    ASSERT_GT(conv.weight.numel(), int64_t{1} << 20);
    const Tensor x = Generator(3).randn({2, in, 6, 5}).contiguous(at::MemoryFormat::ChannelsLast);
    Adapters both, second;
    both.add("conv", product({0.5f, 0.5f}));
    second.add("conv", product({0.f, -2.f}));
    const Tensor residual = conv.plain(x) * 0.1;
    const Tensor plain = conv.plain(x), got = conv.forward(x, second);
    EXPECT_LT(apart(conv.forward(x, both, residual), with_weight(conv, product({}), 0.5, x) + residual), 1e-5);
    EXPECT_TRUE(at::equal(got[0], plain[0])) << "a row of scale 0 keeps its bytes";
    EXPECT_LT(apart(got[1], with_weight(conv, product({}), -2, x)[1]), 1e-5);
    EXPECT_GT(apart(got[1], plain[1]), 0.1);
  }
}

}  // namespace negativa::nn
