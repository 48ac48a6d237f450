#include "core/tensor.h"

#include <gtest/gtest.h>

namespace negativa {

TEST(CheckShape, AcceptsEqualShapesAndAnySizeWhereMinusOneStands) {
  EXPECT_NO_THROW(check_shape("here", at::zeros({2, 77, 160}), {2, 77, 160}));
  EXPECT_NO_THROW(check_shape("here", at::zeros({2, 77, 160}), {-1, 77, -1}));
  EXPECT_NO_THROW(check_shape("here", at::zeros({}), {}));
}

TEST(CheckShape, SaysWhereWhatCameAndWhatWasExpected) {
  const auto message = [](const Tensor& tensor, const Shape& expected) -> std::string {
    try {
      check_shape("prompt_embeds", tensor, expected);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::shape);
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message(at::zeros({2, 77, 160}), {2, 77, 2048}), "[prompt_embeds] got shape [2, 77, 160], expected [2, 77, 2048]");
  EXPECT_EQ(message(at::zeros({77, 160}), {-1, 77, 160}), "[prompt_embeds] got shape [77, 160], expected [-1, 77, 160]");
  EXPECT_EQ(message(at::zeros({}), {1}), "[prompt_embeds] got shape [], expected [1]");
}

TEST(Shape, PrintsAndReadsTheSizesOfATensor) {
  EXPECT_EQ(shape_of(at::zeros({1, 4, 16, 16})), (Shape{1, 4, 16, 16}));
  EXPECT_EQ(to_string(Shape{1, 4, 16, 16}), "[1, 4, 16, 16]");
}

}  // namespace negativa
