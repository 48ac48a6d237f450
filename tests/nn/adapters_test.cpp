#include <gtest/gtest.h>

#include "nn/layers.h"

namespace negativa::nn {
namespace {

Linear make_linear() {
  Linear linear(6, 5);
  linear.weight = at::randn({5, 6});
  linear.bias = at::randn({5});
  linear.name = "layer";
  return linear;
}

TEST(Adapters, ATermAddsItsProductTimesItsScale) {
  const Linear linear = make_linear();
  const Tensor x = at::randn({2, 3, 6}), down = at::randn({4, 6}), up = at::randn({5, 4});
  Adapters adapters;
  adapters.add("layer", {down, up, {0.5f}});
  const Tensor expected = at::linear(x, linear.weight + 0.5 * at::matmul(up, down), linear.bias);
  EXPECT_TRUE(at::allclose(linear.forward(x, adapters), expected, 1e-5, 1e-5));
}

TEST(Adapters, RowsHaveTheirOwnScalesAndARowOfScaleZeroKeepsItsBytes) {
  const Linear linear = make_linear();
  const Tensor x = at::randn({2, 3, 6});
  Adapters adapters;
  adapters.add("layer", {at::randn({4, 6}), at::randn({5, 4}), {0.0f, 2.0f}});
  const Tensor plain = linear.forward(x), adapted = linear.forward(x, adapters);
  EXPECT_TRUE(at::equal(plain[0], adapted[0]));
  EXPECT_FALSE(at::allclose(plain[1], adapted[1]));
  EXPECT_TRUE(at::allclose(linear.forward(x.narrow(0, 1, 1), adapters.rows({1}))[0], adapted[1], 1e-5, 1e-5));
}

TEST(Adapters, SeveralTermsAddUp) {
  const Linear linear = make_linear();
  const Tensor x = at::randn({1, 3, 6});
  const AdapterTerm a{at::randn({2, 6}), at::randn({5, 2}), {1.0f}}, b{at::randn({3, 6}), at::randn({5, 3}), {-0.5f}};
  Adapters both, only_a, only_b;
  both.add("layer", a);
  both.add("layer", b);
  only_a.add("layer", a);
  only_b.add("layer", b);
  EXPECT_TRUE(at::allclose(linear.forward(x, both), linear.forward(x, only_a) + linear.forward(x, only_b) - linear.forward(x),
                           1e-4, 1e-5));
}

TEST(Adapters, OfAnotherLayerDoNothing) {
  const Linear linear = make_linear();
  const Tensor x = at::randn({1, 3, 6});
  Adapters adapters;
  adapters.add("other", {at::randn({2, 6}), at::randn({5, 2}), {1.0f}});
  EXPECT_TRUE(at::equal(linear.forward(x, adapters), linear.forward(x)));
}

TEST(Adapters, RowScalesMustFitTheBatch) {
  const Linear linear = make_linear();
  Adapters adapters;
  adapters.add("layer", {at::randn({2, 6}), at::randn({5, 2}), {0.0f, 1.0f}});
  EXPECT_THROW(linear.forward(at::randn({3, 4, 6}), adapters), Error);
}

}  // namespace
}  // namespace negativa::nn
