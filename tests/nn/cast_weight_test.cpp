#include "nn/cast_weight.h"

#include <gtest/gtest.h>

namespace negativa::nn {
namespace {

const Tensor like = at::zeros({1});

Tensor large(double value) { return at::full({600, 500}, value, at::kHalf); }

TEST(CastWeight, IsTheStoredOneWhereNothingIsToChange) {
  const Tensor stored = at::ones({600, 500});
  EXPECT_TRUE(cast_weight(stored, {}, like).is_same(stored));
}

TEST(CastWeight, TakesTheSameMemoryForOneAfterAnother) {
  const void* first = cast_weight(large(1), {}, like).const_data_ptr();
  const Tensor second = cast_weight(large(2).t(), {}, like);
  EXPECT_EQ(second.const_data_ptr(), first);
  EXPECT_EQ(shape_of(second), (Shape{500, 600}));
  EXPECT_TRUE(second.eq(2).all().item<bool>());
}

TEST(CastWeight, LeavesOneThatIsHeldAlone) {
  const Tensor held = cast_weight(large(1), {}, like), part = held.narrow(0, 3, 2), other = cast_weight(large(2), {}, like);
  EXPECT_TRUE(held.eq(1).all().item<bool>());
  EXPECT_TRUE(part.eq(1).all().item<bool>());
  EXPECT_TRUE(other.eq(2).all().item<bool>());
}

TEST(CastWeight, OfInt8IsTimesItsRowsScale) {
  for (const int64_t rows : {3, 3000}) {
    const Tensor scale = at::arange(rows).to(at::kFloat), cast = cast_weight(at::full({rows, 200}, -7, at::kChar), scale, like);
    EXPECT_TRUE(at::equal(cast, (scale * -7).unsqueeze(1).expand({rows, 200}))) << rows;
  }
}

TEST(CastWeight, OfInt8InAnyOrderOfMemoryIsTheSame) {
  at::manual_seed(0);
  const Tensor scale = at::rand({600});
  const Tensor matrix = at::randint(-127, 128, {600, 500}, at::kChar),
               picture = at::randint(-127, 128, {600, 51, 3, 3}, at::kChar);
  for (const Tensor& stored :
       {matrix, matrix.t().contiguous().t(), picture, picture.contiguous(at::MemoryFormat::ChannelsLast)}) {
    Shape per_row(static_cast<size_t>(stored.dim()), 1);
    per_row[0] = -1;
    EXPECT_TRUE(at::equal(cast_weight(stored, scale, like), stored.to(at::kFloat) * scale.view(per_row)));
  }
}

// What is written to in one mode may be written to in the other.
TEST(CastWeight, WorksInsideInferenceModeAndOutsideIt) {
  for (const bool inside : {false, true, false}) {
    const c10::InferenceMode mode(inside);
    EXPECT_TRUE(cast_weight(large(3), {}, like).eq(3).all().item<bool>());
  }
}

}  // namespace
}  // namespace negativa::nn
