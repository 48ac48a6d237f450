#include "image/equal_pngs.h"

#include <gtest/gtest.h>

#include "base/split_mix.h"

namespace negativa {
namespace {

Image8 noise(int side) {
  Image8 image = Image8::filled(side, side, white);
  SplitMix random(3);
  for (auto& byte : image.rgb) byte = static_cast<uint8_t>(random.next());
  return image;
}

TEST(EqualPngs, AreOfOneSizeWhateverTheirPixels) {
  const Image8 plain = Image8::filled(64, 64, {200, 10, 10}), busy = noise(64);
  const auto [a, b] = equal_pngs(plain, busy);
  EXPECT_EQ(a.size(), b.size());
  EXPECT_EQ(a.size() % equal_png_bytes, 0u);
  EXPECT_EQ(decode_png(a, "a").image, plain);
  EXPECT_EQ(decode_png(b, "b").image, busy);
  EXPECT_TRUE(decode_png(a, "a").text.empty());
}

TEST(EqualPngs, HaveTheSameChunksInTheSameOrder) {
  const auto types_of = [](const std::string& png) {
    std::vector<std::string> types;
    for (size_t at = 8; at < png.size();) {
      uint32_t length = 0;
      for (size_t i = 0; i < 4; ++i) length = length << 8 | static_cast<uint8_t>(png[at + i]);
      types.push_back(png.substr(at + 4, 4));
      at += length + 12;
    }
    return types;
  };
  const auto [a, b] = equal_pngs(Image8::filled(8, 8, white), noise(64));
  EXPECT_EQ(types_of(a), (std::vector<std::string>{"IHDR", "neGa", "IDAT", "IEND"}));
  for (const auto& type : types_of(b)) EXPECT_TRUE(type == "IHDR" || type == "neGa" || type == "IDAT" || type == "IEND") << type;
}

TEST(EqualPngs, ASizeThatFitsExactlyIsFilledWithNothing) {
  for (int side = 60; side < 80; ++side) {
    const auto [a, b] = equal_pngs(noise(side), noise(side));
    EXPECT_EQ(a.size(), b.size());
    EXPECT_EQ(decode_png(a, "a").image, noise(side));
  }
}

}  // namespace
}  // namespace negativa
