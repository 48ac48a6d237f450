#include "io/image_tensor.h"

#include "io/io_test.h"

namespace negativa {

TEST(ImageTensor, KeepsEveryByteThereAndBack) {
  Image8 image{16, 16, {}};
  for (int i = 0; i < 16 * 16 * 3; ++i) image.rgb.push_back(static_cast<uint8_t>(i % 256));
  const auto tensor = image_to_tensor(image);
  EXPECT_EQ(shape_of(tensor), (Shape{1, 3, 16, 16}));
  EXPECT_EQ(tensor[0][1][0][0].item<float>(), 2 * (1 / 255.f) - 1);  // green of the first pixel
  EXPECT_EQ(tensor_to_images(tensor).at(0), image);
}

TEST(ImageTensor, RoundsHalvesToEvenAndClamps) {  // sdxl.md pitfall 29
  // The first four give exactly 64.5, 100.5, 126.5 and 254.5 in fp32; 0 gives 127.5.
  const std::vector<float> values = {-0x1.f9f9fap-2f, -0x1.b1b1b2p-3f, -0x1.010102p-7f, 0x1.fdfdfep-1f, 0.0f, -1.5f, 2.0f};
  const std::vector<uint8_t> expected = {64, 100, 126, 254, 128, 0, 255};
  const auto images = tensor_to_images(at::tensor(values).reshape({1, 1, 1, 7}).expand({2, 3, 1, 7}));
  ASSERT_EQ(images.size(), 2u);
  ASSERT_EQ(images[1].width, 7);
  for (int x = 0; x < 7; ++x) EXPECT_EQ(images[1].pixel(x, 0)[2], expected[x]) << x;
}

TEST(ImageTensor, RefusesNaNAndWrongShapes) {
  error_of(ErrorKind::device, [] { tensor_to_images(at::full({1, 3, 2, 2}, NAN)); });
  error_of(ErrorKind::shape, [] { tensor_to_images(at::zeros({1, 4, 2, 2})); });
}

}  // namespace negativa
