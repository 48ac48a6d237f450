#include "nn/products.h"

#include <gtest/gtest.h>

namespace negativa::nn {
namespace {

double worst(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

TEST(Products, AreThoseInDoubleInEveryOrderOfMemoryAndOnEveryMake) {
  at::manual_seed(0);
  const auto wide = [](const Tensor& t) { return t.to(at::kDouble); };
  for (const auto make : {Make::intel, Make::other})
    for (const auto& [m, k, n] :
         {std::array<int64_t, 3>{1, 1, 1}, {70, 33, 4}, {4, 77, 128}, {130, 4, 40}, {9, 64, 16}, {77, 20, 21}})
      for (const bool turned_a : {false, true})
        for (const bool turned_b : {false, true}) {
          const Tensor a = turned_a ? at::randn({k, m}).t() : at::randn({m, k}),
                       b = turned_b ? at::randn({n, k}).t() : at::randn({k, n});
          const Tensor expected = at::mm(wide(a), wide(b)), start = at::randn({m, n});
          EXPECT_LT(worst(product(a, b, make), expected), 1e-4) << m << " " << k << " " << n;
          EXPECT_LT(worst(product_over_rows(a.t(), b, make), expected), 1e-4) << m << " " << k << " " << n;
          Tensor y = start.clone();
          add_product(y, a, b, -0.5, make);
          EXPECT_LT(worst(y, wide(start) - 0.5 * expected), 1e-4) << m << " " << k << " " << n;
          Tensor apart = at::zeros({n, m}).t();
          add_product(apart, a, b, 2, make);
          EXPECT_LT(worst(apart, 2 * expected), 2e-4) << "rows that are not contiguous";
        }
}

TEST(Products, OfOtherNumberFormatsAreTheLibrarys) {
  const Tensor a = at::randn({5, 7}, at::kDouble), b = at::randn({7, 3}, at::kDouble);
  EXPECT_TRUE(at::equal(product(a, b, Make::other), at::mm(a, b)));
}

TEST(Products, GoThroughOurKernelByShapeAndMakeAlone) {
  EXPECT_TRUE(takes_own_kernel(256, 128, 128, Make::other));
  EXPECT_TRUE(takes_own_kernel(4096, 1280, 16, Make::other));
  EXPECT_FALSE(takes_own_kernel(256, 128, 128, Make::intel));
  EXPECT_FALSE(takes_own_kernel(4096, 1280, 1280, Make::other));
  EXPECT_FALSE(takes_own_kernel(0, 128, 128, Make::other));
}

// Rows of a training run side by side or one by one: the same bytes.
TEST(Products, GiveARowTheSameBytesWhateverRowsAreWithIt) {
  at::manual_seed(0);
  const Tensor a = at::randn({100, 30}), b = at::randn({30, 40}), together = product(a, b, Make::other);
  for (int64_t row = 0; row < a.size(0); ++row)
    ASSERT_TRUE(at::equal(product(a.narrow(0, row, 1), b, Make::other), together.narrow(0, row, 1))) << row;
}

}  // namespace
}  // namespace negativa::nn
