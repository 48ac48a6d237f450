// Wide layers whose weight an adapter changes: made in parts, and in the memory of the last one where they are not kept.
#include "nn/changed_layer.h"

#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include "core/generator.h"

namespace negativa::nn {
namespace {

constexpr int64_t in = 640, out = 900;  // more numbers than are made at a time, and outputs that no part divides

// W' - W = W * factor, of as many outputs at a time as it is told.
struct Scaled : WeightChange {
  Scaled(double factor, int64_t part) : factor(factor), part(part) {}
  Tensor of_weight(const Tensor& weight) const override { return weight * factor; }
  Tensor of_bias(const Tensor& bias) const override { return bias; }
  int64_t outputs_a_part() const override { return part; }
  Tensor of_outputs(const Tensor& rows, int64_t first) const override {
    EXPECT_EQ(first % part, 0);
    return rows * factor;
  }
  double factor;
  int64_t part;
};

Linear wide() {
  Generator generator(1);
  Linear linear(in, out);
  linear.weight = generator.randn({out, in});
  linear.bias = generator.randn({out});
  linear.name = "linear";
  return linear;
}

}  // namespace

TEST(ChangedLayer, IsTheSameMadeInPartsOrAsAWhole) {
  const c10::InferenceMode inference;
  const Tensor x = Generator(2).randn({2, 5, in});
  const auto with = [&](Linear linear, std::vector<int64_t> parts, DType stored) {
    linear.weight = linear.weight.to(stored);
    Adapters adapters;
    for (const int64_t part : parts) adapters.add("linear", {{}, {}, {0.5f}, std::make_shared<Scaled>(3.0, part)});
    return linear.forward(x, adapters);
  };
  for (const DType stored : {at::kFloat, at::kHalf, at::kBFloat16}) {
    const Tensor whole = with(wide(), {0, 0}, stored);
    for (const auto& parts : std::vector<std::vector<int64_t>>{{1, 1}, {1, 9}, {30, 1}, {9, 25}, {1, 0}})
      EXPECT_TRUE(at::equal(with(wide(), parts, stored), whole)) << parts[0] << " and " << parts[1];
    Linear changed = wide();
    changed.weight = changed.weight.to(stored).to(at::kFloat) * 4;
    changed.bias = changed.bias * 2;
    EXPECT_TRUE(at::allclose(whole, changed.plain(x), 1e-4, 1e-3));
  }
}

TEST(ChangedLayer, FollowsATrainedProductFromStepToStep) {
  Generator generator(5);
  Linear linear(16, 8);
  linear.weight = generator.randn({8, 16});
  linear.bias = at::zeros({8});
  linear.packed = cpu::pack_linear(linear.weight);
  linear.name = "linear";
  Conv2d conv(16, 8);
  conv.weight = generator.randn({8, 16, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast);
  conv.bias = at::zeros({8});
  conv.name = "conv";
  const Tensor tokens = generator.randn({2, 3, 16}), picture = generator.randn({2, 16, 4, 4});
  const Tensor down = generator.randn({2, 16}).requires_grad_(), conv_down = generator.randn({2, 16, 3, 3}).requires_grad_();
  Adapters adapters;
  adapters.add("linear", {down, generator.randn({8, 2}), {1.f}});
  adapters.add("conv", {conv_down, generator.randn({8, 2, 1, 1}), {1.f}});
  const c10::NoGradGuard validation;
  const Tensor before = linear.forward(tokens, adapters), conv_before = conv.forward(picture, adapters);
  down.add_(1);
  conv_down.add_(1);
  EXPECT_GT((linear.forward(tokens, adapters) - before).abs().max().item<float>(), 0.1f);
  EXPECT_GT((conv.forward(picture, adapters) - conv_before).abs().max().item<float>(), 0.1f);
}

TEST(ChangedLayers, GivesTheSameMemoryAgainOnceNobodyHoldsIt) {
  const Tensor weight = at::zeros({8, 4}), x = at::zeros({1});
  ChangedLayers none(0);
  Tensor first = none.memory_like(weight, x);
  const void* const memory = first.data_ptr();
  EXPECT_NE(none.memory_like(weight, x).data_ptr(), memory) << "it is held";
  first = Tensor();
  EXPECT_EQ(none.memory_like(at::zeros({2, 3, 1, 1}), x).data_ptr(), memory);
  const Tensor larger = none.memory_like(at::zeros({9, 4}), x);
  EXPECT_EQ(larger.sizes(), (Shape{9, 4}));
  EXPECT_EQ(none.memory_like(weight, x.to(at::kDouble)).scalar_type(), at::kDouble);
  const Tensor columns = at::zeros({4, 6}).t();
  EXPECT_EQ(none.memory_like(columns, x).strides(), columns.strides());
  ChangedLayers kept;
  const Tensor mine = kept.memory_like(weight, x);
  EXPECT_NE(kept.memory_like(weight, x).data_ptr(), mine.data_ptr());
}

}  // namespace negativa::nn
