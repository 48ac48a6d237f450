#include "core/generator.h"

#include <gtest/gtest.h>

namespace negativa {

namespace {
void expect_starts_with(const Tensor& draw, const std::vector<float>& expected, float tolerance) {
  const auto flat = draw.flatten();
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(flat[static_cast<int64_t>(i)].item<float>(), expected[i], tolerance) << "at " << i;
}
}  // namespace

// sdxl.md 6.3: torch fills fewer than 16 numbers by another path, and redraws the last 16 when 16 does not divide the count.
TEST(Generator, DrawsTorchsNumbersOnTheLongPath) {
  expect_starts_with(Generator(42).randn({16}), {1.9269152880f, 1.4872840643f, .9007171988f, -2.1055209637f}, 2e-7f);
  expect_starts_with(Generator(42).randn({1, 4, 128, 128}), {1.9269152880f, 1.4872840643f, .9007171988f, -2.1055209637f}, 2e-7f);
  expect_starts_with(Generator(0).randn({1, 4, 8, 8}),
                     {-1.12583983f, -1.15236020f, -.25057858f, -.43387881f, .84871036f, .69200915f, -.31601277f, -2.11521935f},
                     2e-7f);
}

TEST(Generator, DrawsTorchsNumbersOnTheShortPath) {
  expect_starts_with(Generator(0).randn({4}), {1.540996075f, -.293428898f, -2.178789377f, .568431258f}, 2e-7f);
  expect_starts_with(Generator(42).randn({15}), {.336690366f, .128809407f, .234462366f, .230333030f}, 2e-7f);
}

// torch 2.11.0: torch.randn(17, generator=torch.Generator().manual_seed(42)); the last 16 are a second draw.
TEST(Generator, RedrawsTheTailWhenSixteenDoesNotDivideTheCount) {
  const auto draw = Generator(42).randn({17});
  expect_starts_with(draw, {1.926915288f, -.159597471f, -.497397542f, .439589262f}, 2e-7f);
  EXPECT_NEAR(draw[16].item<float>(), -.309726775f, 2e-7f);
}

TEST(Generator, DrawsAFullSizeLatentLikeTorch) {
  const auto draw = Generator(42).randn({1, 4, 128, 128}).flatten();
  EXPECT_NEAR(draw.to(at::kDouble).sum().item<double>(), -3.09918, 1e-4);
  expect_starts_with(draw.slice(0, -4), {-.742937f, .720198f, -.423346f, 1.621495f}, 1e-6f);
}

TEST(Generator, DrawsTorchsIntegers) {
  const auto draw = Generator(0).randint(1000, {6});
  const std::vector<int64_t> expected = {44, 239, 933, 760, 963, 379};
  EXPECT_EQ(std::vector<int64_t>(draw.data_ptr<int64_t>(), draw.data_ptr<int64_t>() + 6), expected);
}

TEST(Generator, GivesTheSameStreamForTheSameSeedAndGoesOnWithEachDraw) {
  Generator one(9), same(9), other(10);
  const auto first = one.randn({1, 4, 16, 16});
  EXPECT_TRUE(at::equal(first, same.randn({1, 4, 16, 16})));
  EXPECT_FALSE(at::equal(first, one.randn({1, 4, 16, 16})));
  EXPECT_FALSE(at::equal(first, other.randn({1, 4, 16, 16})));
}

// The first picture of a batch drawn at once equals the picture drawn alone; the others do not: hence a generator a picture.
TEST(Generator, AgreesWithABatchOnlyInItsFirstPicture) {
  const auto batch = Generator(42).randn({2, 4, 16, 16});
  EXPECT_TRUE(at::equal(batch[0], Generator(42).randn({1, 4, 16, 16})[0]));
  EXPECT_FALSE(at::equal(batch[1], Generator(43).randn({1, 4, 16, 16})[0]));
}

}  // namespace negativa
