#include "nn/gradient.h"

#include <gtest/gtest.h>

#include "nn/layer_gradients.h"
#include "nn/transformer.h"

namespace negativa::nn {
namespace {

Tensor numbers(const Shape& shape) { return at::randn(shape, at::kDouble); }

Linear make_linear(int64_t in, int64_t out) {
  Linear linear(in, out);
  linear.weight = numbers({out, in});
  linear.bias = numbers({out});
  linear.name = "layer";
  return linear;
}

// d f / d x by central differences, for a scalar function.
Tensor numerical(const std::function<Tensor()>& f, Tensor x) {
  const c10::NoGradGuard no_graph;
  Tensor gradient = at::zeros_like(x);
  Tensor flat = x.view(-1), out = gradient.view(-1);
  constexpr double step = 1e-6;
  for (int64_t i = 0; i < flat.numel(); ++i) {
    const double value = flat[i].item<double>();
    flat[i].fill_(value + step);
    const double up = f().item<double>();
    flat[i].fill_(value - step);
    const double down = f().item<double>();
    flat[i].fill_(value);
    out[i].fill_((up - down) / (2 * step));
  }
  return gradient;
}

// Every leaf's gradient of sum(f() * fixed numbers) equals its central differences.
void expect_gradients(const std::function<Tensor()>& f, const std::vector<Tensor>& leaves) {
  const Tensor mix = numbers(shape_of(f().detach()));
  const auto scalar = [&] { return (f() * mix).sum(); };
  backward(scalar());
  for (size_t i = 0; i < leaves.size(); ++i) {
    ASSERT_TRUE(leaves[i].grad().defined()) << "leaf " << i;
    const Tensor expected = numerical(scalar, leaves[i].detach());
    EXPECT_LT((leaves[i].grad() - expected).abs().max().item<double>(), 1e-6 * (1 + expected.abs().max().item<double>()))
        << "leaf " << i;
  }
}

Tensor leaf(const Shape& shape) { return numbers(shape).requires_grad_(true); }

TEST(Gradient, OfALinearLayerWithAdaptersReachesInputResidualAndBothFactors) {
  const Linear linear = make_linear(5, 4);
  const Tensor x = leaf({2, 3, 5}), residual = leaf({2, 3, 4}), down = leaf({2, 5}), up = leaf({4, 2});
  Adapters adapters;
  adapters.add("layer", {down, up, {0.7f}});
  adapters.add("layer", {numbers({3, 5}), numbers({4, 3}), {-1.5f}});
  expect_gradients([&] { return linear.forward(x, adapters, residual); }, {x, residual, down, up});
}

TEST(Gradient, OfAnAdapterAloneNeedsNoGradientOfTheInput) {
  const Linear linear = make_linear(5, 4);
  const Tensor x = numbers({1, 3, 5}), down = leaf({2, 5}), up = leaf({4, 2});
  Adapters adapters;
  adapters.add("layer", {down, up, {1.0f}});
  expect_gradients([&] { return linear.forward(x, adapters); }, {down, up});
}

TEST(Gradient, OfConvolutionsNormsAndGegluEqualsCentralDifferences) {
  for (const auto& [kernel, stride, padding] : {std::array<int64_t, 3>{3, 1, 1}, {3, 2, 1}, {3, 2, 0}, {1, 1, 0}}) {
    Conv2d conv(3, 4, kernel, stride, padding);
    conv.weight = numbers({4, 3, kernel, kernel});
    conv.bias = numbers({4});
    const Tensor x = leaf({1, 3, 5, 5});
    expect_gradients([&] { return conv.forward(x); }, {x});
  }
  GroupNorm norm(2, 4, 1e-5);
  norm.weight = numbers({4});
  norm.bias = numbers({4});
  for (const bool silu : {false, true}) {
    const Tensor x = leaf({2, 4, 3, 3});
    expect_gradients([&] { return silu ? norm.forward_silu(x) : norm.forward(x); }, {x});
  }
  const Tensor x = leaf({2, 3, 8});
  expect_gradients([&] { return geglu(x); }, {x});
}

TEST(Gradient, OfAnAdapterOfAConvolutionTakesItsStrideAndPadding) {
  Conv2d conv(3, 4, 3, 2, 1);
  conv.weight = numbers({4, 3, 3, 3});
  conv.bias = numbers({4});
  conv.name = "layer";
  const Tensor x = leaf({1, 3, 5, 5}), residual = leaf({1, 4, 3, 3}), down = leaf({2, 3, 3, 3}), up = leaf({4, 2, 1, 1});
  Adapters adapters;
  adapters.add("layer", {down, up, {0.7f}});
  expect_gradients([&] { return conv.forward(x, adapters, residual); }, {x, residual, down, up});
}

// What is trained moves at every step: a pass without gradients, as validation's, sees the numbers of now.
TEST(Gradient, ATrainedAdapterOfAConvolutionIsNeverKeptAsAChangedWeight) {
  Conv2d conv(3, 4);
  conv.weight = numbers({4, 3, 3, 3});
  conv.bias = numbers({4});
  conv.name = "layer";
  const Tensor x = numbers({1, 3, 5, 5}), down = leaf({2, 3, 3, 3}), up = leaf({4, 2, 1, 1});
  Adapters adapters;
  adapters.add("layer", {down, up, {1.0f}});
  const c10::NoGradGuard no_graph;
  conv.forward(x, adapters);
  up.detach().zero_();
  EXPECT_LT((conv.forward(x, adapters) - conv.forward(x)).abs().max().item<double>(), 1e-12);
}

// m (W + s up down) / |W + s up down| x + b + residual with the norm of each row a constant, by stock autograd.
Tensor dora_by_formula(const Tensor& weight, const Tensor& change, const Tensor& magnitude,
                       const std::function<Tensor(const Tensor&)>& layer) {
  const Tensor changed = weight + change;
  Shape per_row(weight.dim(), 1);
  per_row[0] = -1;
  const Tensor norm = changed.detach().flatten(1).norm(2, 1);
  return layer(changed * (magnitude / norm).view(per_row));
}

// Values, and the gradients of all leaves.
void expect_equal_gradients(const std::function<Tensor()>& got, const std::function<Tensor()>& expected,
                            const std::vector<Tensor>& leaves) {
  const Tensor mix = numbers(shape_of(expected().detach()));
  std::vector<Tensor> gradients;
  for (const auto& f : {expected, got}) {
    for (const auto& leaf : leaves) Tensor(leaf).mutable_grad() = Tensor();
    backward((f() * mix).sum());
    for (const auto& leaf : leaves) gradients.push_back(leaf.grad());
  }
  EXPECT_LT((got() - expected()).abs().max().item<double>(), 1e-12);
  for (size_t i = 0; i < leaves.size(); ++i)
    EXPECT_LT((gradients[i] - gradients[leaves.size() + i]).abs().max().item<double>(),
              1e-12 * (1 + gradients[i].abs().max().item<double>()))
        << "leaf " << i;
}

TEST(Gradient, OfATrainedDoraIsThatOfItsFormulaWithTheNormsConstant) {
  const Linear linear = make_linear(5, 4);
  const Tensor x = leaf({1, 3, 5}), residual = leaf({1, 3, 4}), down = leaf({2, 5}), up = leaf({4, 2}), magnitude = leaf({4});
  const AdapterTerm term{down, up, {0.5f}, {}, magnitude};
  const auto formula = [&](const Tensor& in) {
    return dora_by_formula(linear.weight, 0.5 * at::mm(up, down), magnitude,
                           [&](const Tensor& weight) { return at::linear(in, weight, linear.bias) + residual; });
  };
  Adapters adapters, checkpointing;
  checkpointing.gradient_checkpointing = true;
  for (auto* each : {&adapters, &checkpointing}) each->add("layer", term);
  const auto body = [](const std::vector<Tensor>& in) { return at::sin(in[0]); };
  expect_equal_gradients([&] { return linear.forward(x, adapters, residual); }, [&] { return formula(x); },
                         {x, residual, down, up, magnitude});
  expect_equal_gradients([&] { return checkpointed_linear(linear, {x}, body, checkpointing, residual); },
                         [&] { return formula(at::sin(x)); }, {x, residual, down, up, magnitude});
  const c10::NoGradGuard no_graph;
  EXPECT_LT((linear.forward(x, adapters, residual) - formula(x)).abs().max().item<double>(), 1e-12);
  adapters.add("layer", {down, up, {1.0f}});
  EXPECT_ANY_THROW(linear_with_gradient(linear, x, adapters.at("layer"), residual));
}

TEST(Gradient, OfATrainedDoraOfAConvolutionIsThatOfItsFormula) {
  Conv2d conv(3, 4, 3, 2, 1);
  conv.weight = numbers({4, 3, 3, 3});
  conv.bias = numbers({4});
  conv.name = "layer";
  const Tensor x = leaf({1, 3, 5, 5}), residual = leaf({1, 4, 3, 3}), down = leaf({2, 3, 3, 3}), up = leaf({4, 2, 1, 1}),
               magnitude = leaf({4});
  Adapters adapters;
  adapters.add("layer", {down, up, {0.5f}, {}, magnitude});
  expect_equal_gradients([&] { return conv.forward(x, adapters, residual); },
                         [&] {
                           return dora_by_formula(conv.weight, 0.5 * at::mm(up.flatten(1), down.flatten(1)).view_as(conv.weight),
                                                  magnitude, [&](const Tensor& weight) {
                                                    return at::conv2d(x, weight, conv.bias, {2, 2}, {1, 1}) + residual;
                                                  });
                         },
                         {x, residual, down, up, magnitude});
}

TEST(Gradient, OfALinearLayerBehindACheckpointReachesInputsResidualFactorsAndTheLeavesItsBodyCaptures) {
  const Linear linear = make_linear(5, 4);
  const Tensor x = leaf({1, 3, 5}), residual = leaf({1, 3, 4}), down = leaf({2, 5}), up = leaf({4, 2}), inside = leaf({5});
  Adapters adapters;
  adapters.gradient_checkpointing = true;
  adapters.add("layer", {down, up, {0.7f}});
  int runs = 0;
  const auto body = [&](const std::vector<Tensor>& in) {
    ++runs;
    return at::sin(in[0]) * inside;
  };
  const auto f = [&] { return checkpointed_linear(linear, {x, Tensor()}, body, adapters, residual) * 2.0; };
  expect_gradients(f, {x, residual, down, up, inside});
  runs = 0;
  const Tensor again = f();
  EXPECT_EQ(runs, 1);
  backward(again.sum());
  EXPECT_EQ(runs, 2);  // once more for the gradient, not once a layer
  EXPECT_TRUE(at::equal(again, linear.forward(at::sin(x) * inside, adapters, residual) * 2.0));
}

TEST(Gradient, AheadOfTheFirstAdapterNoGraphIsMade) {
  const Linear linear = make_linear(5, 5);
  Adapters adapters;
  adapters.gradient_checkpointing = true;
  adapters.add("another", {leaf({2, 5}), leaf({5, 2}), {1.0f}});
  const Tensor x = numbers({1, 3, 5});
  EXPECT_FALSE(checkpointed_linear(
                   linear, {x}, [](const auto& in) { return at::sin(in[0]); }, adapters, x)
                   .requires_grad());
}

TEST(Gradient, BackwardTwiceThroughOneGraphIsAnErrorAndNotAWrongNumber) {
  const Tensor x = leaf({2, 8});
  const Tensor loss = geglu(x).sum();
  backward(loss);
  EXPECT_ANY_THROW(backward(loss));
}

// Frozen layers keep no cast copy of their weights and convolutions keep no input: what a graph of them holds on to is freed with
// the names.
TEST(Gradient, AFrozenLayerKeepsNeitherItsInputNorACastWeight) {
  Conv2d conv(3, 4);
  conv.weight = at::randn({4, 3, 3, 3}).to(at::kBFloat16);
  conv.bias = at::randn({4}).to(at::kBFloat16);
  Tensor x = at::randn({1, 3, 8, 8}).requires_grad_(true) * 1.0;
  const c10::weak_intrusive_ptr<c10::TensorImpl> watched(x.getIntrusivePtr());
  const Tensor y = conv.forward(x);
  x.reset();
  EXPECT_TRUE(watched.expired());
  EXPECT_TRUE(y.requires_grad());
  EXPECT_EQ(y.scalar_type(), at::kFloat);
}

}  // namespace
}  // namespace negativa::nn
