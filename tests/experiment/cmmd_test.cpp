#include "experiment/cmmd.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/temporary_folder.h"
#include "golden_file.h"

namespace negativa {
namespace {

std::vector<UnitVector> rows_of(const Tensor& tensor) {
  std::vector<UnitVector> rows;
  for (int64_t i = 0; i < tensor.size(0); ++i) {
    const Tensor row = tensor[i].contiguous();
    rows.emplace_back(row.const_data_ptr<float>(), row.const_data_ptr<float>() + row.numel());
  }
  return rows;
}

// What tools/goldens_vision.py's NumPy makes of these two sets by the paper's definition and by the released code's sum.
TEST(Cmmd, EqualsItsDefinitionAndTheReleasedCode) {
  const auto file = test::golden("vision");
  const auto x = rows_of(file->load("cmmd.x")), y = rows_of(file->load("cmmd.y"));
  const Cmmd cmmd(x, y);
  std::vector<size_t> all(x.size());
  std::iota(all.begin(), all.end(), 0);
  EXPECT_NEAR(*cmmd.unbiased(all), file->load("cmmd.unbiased").item<double>(), 1e-6);
  EXPECT_NEAR(cmmd.biased(all), file->load("cmmd.biased").item<double>(), 1e-6);
  const Tensor drawn = file->load("cmmd.resample");
  std::vector<size_t> resample;
  for (int64_t i = 0; i < drawn.numel(); ++i) resample.push_back(static_cast<size_t>(drawn[i].item<int64_t>()));
  EXPECT_NEAR(*cmmd.unbiased(resample), file->load("cmmd.unbiased_resample").item<double>(), 1e-6);
}

TEST(Cmmd, MayBeNegativeBetweenSetsOfOneKindAndNeedsPairs) {
  const std::vector<UnitVector> same{{1, 0}, {0, 1}};
  const Cmmd cmmd(same, same);
  EXPECT_LT(*cmmd.unbiased(std::vector<size_t>{0, 1}), 0);
  EXPECT_NEAR(cmmd.biased(std::vector<size_t>{0, 1}), 0, 1e-9);
  EXPECT_FALSE(cmmd.unbiased(std::vector<size_t>{1, 1}).has_value());  // a picture and its copy are no pair
  error_of(ErrorKind::input, [&] { Cmmd(std::span(same).first(1), same); });
}

}  // namespace
}  // namespace negativa
