#include "vae/vae.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "golden_file.h"
#include "io/tiny_vae.h"

namespace negativa {
namespace {

using test::golden;
using test::relative_error;

Vae load_vae(std::optional<DType> storage = at::kFloat, bool force_upcast = true) {
  const ModelFiles files = open_model(test::bundled_model());
  auto config = VaeConfig::from_json(files.config_json("vae"), "vae");
  config.force_upcast = force_upcast;
  Vae vae(config);
  nn::LoadOptions options;
  options.storage = storage;
  vae.load(files.weights("vae"), options);
  return vae;
}

// diffusers 0.42.1, fp32: tools/goldens_model.py. Its latents are not scaled.
Tensor golden_latents(const Vae& vae) { return vae.scale(golden("vae_emoji")->load("latents")); }

TEST(Vae, DecodesAndEncodesAsDiffusers) {
  const c10::InferenceMode inference;
  const Vae vae = load_vae();
  const auto file = golden("vae_emoji");
  EXPECT_LT(relative_error(vae.decode(golden_latents(vae)), file->load("decoded")), 1e-5);
  const auto distribution = vae.encode(file->load("image"));
  EXPECT_LT(relative_error(distribution.mean, file->load("mode")), 1e-5);
  const Tensor logvar = file->load("moments").chunk(2, 1)[1].clamp(-30, 20);
  EXPECT_LT(relative_error(distribution.std, at::exp(0.5 * logvar)), 1e-5);
}

TEST(Vae, DecodesAndEncodesInTilesAsDiffusers) {
  const c10::InferenceMode inference;
  const Vae vae = load_vae();
  const auto file = golden("vae_emoji");
  const Tiling tiling{16};  // diffusers: sample_size 64 of the config
  const Tensor latents = vae.scale(file->load("tiled.latents")), decoded = file->load("tiled.decoded");
  EXPECT_LT(relative_error(vae.decode(latents, tiling), decoded), 1e-5);
  EXPECT_GT(relative_error(vae.decode(latents), decoded), 1e-3) << "the whole picture is another";
  EXPECT_LT(relative_error(vae.encode(decoded, tiling).mean, file->load("tiled.moments").chunk(2, 1)[0]), 1e-5);
  EXPECT_TRUE(at::equal(vae.decode(latents, {24}), vae.decode(latents))) << "what fits into one square is not cut";
}

// A TAESD of tools/goldens_model.py: 8 and 12 wide, other numbers of blocks than the published ones.
Weights tiny_weights() {
  const auto file = golden("vae_tiny");
  Weights weights;
  for (const auto& entry : file->entries())
    if (entry.name.starts_with("vae.")) weights[entry.name.substr(4)] = {.file = file, .key = entry.name};
  return weights;
}

TEST(TinyVae, DecodesAndEncodesAsDiffusers) {
  const c10::InferenceMode inference;
  const auto file = golden("vae_tiny");
  const auto weights = tiny_weights();
  for (const auto& config_json : {file->metadata().at("config"), tiny_vae_config_json(weights)}) {
    const auto config = VaeConfig::from_json(config_json, "vae_tiny");
    EXPECT_EQ(config.factor(), 4);
    EXPECT_FALSE(config.force_upcast);
    Vae vae(config);
    vae.load(weights, {});
    const Tensor latents = file->load("latents");
    EXPECT_LT(relative_error(vae.decode(latents), file->load("decoded")), 1e-5);
    EXPECT_TRUE(at::equal(vae.unscale(latents), latents)) << "it takes latents as the UNet has them";
    const auto encoded = vae.encode(file->load("image"));
    EXPECT_LT(relative_error(encoded.mean, file->load("encoded")), 1e-5);
    EXPECT_EQ(encoded.std.abs().max().item<float>(), 0);
  }
}

TEST(TinyVae, DrawsWithoutAnEncoderAndRefusesToEncode) {
  auto weights = tiny_weights();
  std::erase_if(weights, [](const auto& named) { return named.first.starts_with("encoder."); });
  Vae vae(VaeConfig::from_json(tiny_vae_config_json(weights), "decoder alone"));
  vae.load(weights, {});
  EXPECT_LT(relative_error(vae.decode(golden("vae_tiny")->load("latents")), golden("vae_tiny")->load("decoded")), 1e-5);
  EXPECT_THROW(vae.encode(at::zeros({1, 3, 32, 32})), Error);
  EXPECT_EQ(weights.erase("decoder.layers.8.weight"), 1u);
  EXPECT_THROW(tiny_vae_config_json(weights), Error) << "the layers break off";
}

TEST(Vae, DecodingInTilesEndsBetweenTwoOfThem) {
  const c10::InferenceMode inference;
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THROW(load_vae().decode(at::zeros({1, 4, 24, 20}), {16}, &cancel), Error);
}

TEST(Vae, ScaleAndUnscaleAreInverse) {
  Vae plain = load_vae();
  const Tensor z = at::randn({1, 4, 8, 8});
  EXPECT_LT(relative_error(plain.unscale(plain.scale(z)), z), 1e-6);
  EXPECT_LT(relative_error(plain.scale(z), z * plain.config.scaling_factor), 1e-6);
  VaeConfig config = plain.config;
  config.latents_mean = {0.1, -0.2, 0.3, 0.4};
  config.latents_std = {1.5, 2, 0.5, 1};
  const Vae shifted(config);
  EXPECT_LT(relative_error(shifted.unscale(shifted.scale(z)), z), 1e-6);
  EXPECT_NEAR(shifted.scale(z)[0][1][0][0].item<float>(), (z[0][1][0][0].item<float>() + 0.2) / 2 * config.scaling_factor, 1e-6);
}

TEST(Vae, RefusesPicturesThatAreNoMultipleOfItsFactor) {
  const Vae vae = load_vae();
  EXPECT_THROW(vae.encode(at::zeros({1, 3, 62, 64})), Error);
  EXPECT_THROW(vae.encode(at::zeros({1, 4, 64, 64})), Error);
  EXPECT_THROW(vae.decode(at::zeros({1, 3, 16, 16})), Error);
}

// bf16 reaches about as far as fp32: what overflows in it alone lies between their largest finite values, 3.3895e38 and
// 3.4028e38.
TEST(DecodeFinite, RetriesInFp32WhenBf16Overflows) {
  const c10::InferenceMode inference;
  Vae vae = load_vae();
  const Tensor latents = golden_latents(vae).to(at::kBFloat16);
  bool retried = true;
  const Tensor plain = decode_finite(vae, latents, &retried);
  EXPECT_FALSE(retried);
  EXPECT_EQ(plain.scalar_type(), at::kBFloat16);
  EXPECT_LT(relative_error(plain, golden("vae_emoji")->load("decoded")), 5e-2);
  for (const auto& slot : nn::walk(vae).slots)
    if (slot.name == "decoder.conv_out.bias") slot.tensor->fill_(3.4e38);
  EXPECT_FALSE(at::isfinite(vae.decode(latents)).any().item<bool>());
  const Tensor image = decode_finite(vae, latents, &retried);
  EXPECT_TRUE(retried);
  EXPECT_EQ(image.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::isfinite(image).all().item<bool>());
}

TEST(DecodeFinite, RetriesInFp32WhenFp16Overflows) {
  const c10::InferenceMode inference;
  bool retried = true;
  const Vae vae = load_vae();
  decode_finite(vae, golden_latents(vae), &retried);
  EXPECT_FALSE(retried);
  const Vae eager = load_vae(at::kFloat, false);  // beyond fp16's 65504 after scaling, within fp32
  const Tensor image = decode_finite(eager, at::full({1, 4, 4, 4}, 60000.0).to(at::kHalf), &retried);
  EXPECT_TRUE(retried);
  EXPECT_EQ(image.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::isfinite(image).all().item<bool>());
}

TEST(DecodeFinite, ForceUpcastDecodesFp16LatentsInFp32AtOnce) {
  const c10::InferenceMode inference;
  bool retried = true;
  const Vae vae = load_vae();
  const Tensor image = decode_finite(vae, golden_latents(vae).to(at::kHalf), &retried);
  EXPECT_FALSE(retried);
  EXPECT_EQ(image.scalar_type(), at::kFloat);
  EXPECT_LT(relative_error(image, golden("vae_emoji")->load("decoded")), 1e-2);
}

TEST(DecodeFinite, BrokenLatentsAreAnError) {
  const c10::InferenceMode inference;
  bool retried = false;
  EXPECT_THROW(decode_finite(load_vae(), at::full({1, 4, 4, 4}, std::nan("")), &retried), Error);
}

TEST(VaeConfig, RefusesWhatNoSdxlVaeHas) {
  const Json good = parse_json(open_model(test::bundled_model()).config_json("vae"), "vae");
  const std::pair<const char*, Json> wrong[] = {
      {"act_fn", "mish"},    {"shift_factor", 0.1},    {"block_out_channels", Json::array()},       {"norm_num_groups", 7},
      {"scaling_factor", 0}, {"latents_mean", {1, 2}}, {"up_block_types", {"AttnUpDecoderBlock2D"}}};
  for (const auto& [key, value] : wrong) {
    Json config = good;
    config[key] = value;
    EXPECT_THROW(VaeConfig::from_json(config.dump(), "vae/config.json"), Error) << key;
  }
}

}  // namespace
}  // namespace negativa
