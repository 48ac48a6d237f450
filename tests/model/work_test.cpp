#include "model/work.h"

#include <gtest/gtest.h>

#include "golden_file.h"

namespace negativa {
namespace {

template <class Config>
Config sdxl(const char* part) {
  return Config::from_json(read_file(test::source_folder() / "models/sdxl-layers" / part / "config.json"), part);
}

double unet_tflop(const UNetConfig& config, int64_t height, int64_t width) {
  const UNetPass pass{1, height, width};
  return (unet_work(config, pass).flop + unet_prepare_flop(config, pass)) / 1e12;
}

// 25 guided steps at 1024x1024: 149.433 TMAC without attention's products (T-GATE's table,
// huggingface.co/docs/diffusers/optimization/tgate); 50 at 1280x1920 with them: 907 TMAC (DistriFusion, arXiv:2402.19481, figure
// 1).
TEST(Work, OfSdxlIsWhatOthersCounted) {
  const auto base = sdxl<UNetConfig>("unet");
  EXPECT_NEAR(unet_tflop(base, 128, 128), 6.7612, 1e-3);
  EXPECT_NEAR(unet_tflop(base, 64, 64), 1.5888, 1e-3);
  EXPECT_NEAR(unet_tflop(base, 160, 240) * 50, 907, 1);
  const auto vae = sdxl<VaeConfig>("vae");
  EXPECT_NEAR(vae_decode_work(vae, 128, 128).flop / 1e12, 10.4704, 1e-3);
  const auto text = [](const char* part) {
    return text_flop(CLIPTextConfig::load(test::source_folder() / "models/sdxl-layers" / part / "config.json"));
  };
  EXPECT_NEAR((text("text_encoder") + text("text_encoder_2")) / 1e12, 0.111, 1e-3);
}

TEST(Work, GrowsWithRowsAndPixels) {
  const auto base = sdxl<UNetConfig>("unet");
  const Work one = unet_work(base, {1, 64, 64}), two = unet_work(base, {2, 64, 64}), large = unet_work(base, {1, 128, 128});
  EXPECT_NEAR(two.flop / one.flop, 2, 1e-3);
  EXPECT_GT(two.most_elements, one.most_elements);
  EXPECT_GT(large.most_elements, one.most_elements);
}

// Winograd's way transforms weights of 2560 x 1280 kernels where 512 pixels of a batch come to them, else of 1280 x 1280 ones
// behind an upsampling; they lie in memory beside the activations, of which 2 x 4096 pixels of 320 channels are the least.
TEST(Work, HoldsTransformedWeights) {
  const auto base = sdxl<UNetConfig>("unet");
  const Work with = unet_work(base, {2, 64, 64}), below = unet_work(base, {2, 60, 64});
  EXPECT_NEAR(with.transformed_elements, 16 * 2560 * 1280, 1e3);
  EXPECT_NEAR(below.transformed_elements, 16 * 1280 * 1280, 1e3);
  EXPECT_GT(with.most_elements, with.transformed_elements + 2 * 4096 * 320);
}

}  // namespace
}  // namespace negativa
