// Weights in fp8 times a scale, as ComfyUI writes them.
#include "io/scaled_fp8.h"

#include <gmock/gmock.h>

#include "io/io_test.h"

namespace negativa {

namespace {

using Tensors = std::map<std::string, Tensor>;

Tensor text(const std::string& json) {
  return at::tensor(std::vector<int64_t>(json.begin(), json.end()), at::kLong).to(at::kByte);
}

Tensors tensors_of(const std::filesystem::path& path) {
  const auto file = SafetensorsFile::open(path);
  Tensors tensors;
  for (const auto& entry : file->entries()) tensors[entry.name] = file->load(entry, at::kFloat);
  return tensors;
}

// The matrices and kernels of `part` in fp8 times a scale, in the spelling given; returns the values that they stand for.
Tensors scale(Tensors& file, const std::string& part, const char* suffix, bool per_row, DType format) {
  Tensors values;
  for (const auto& [name, tensor] : Tensors(file)) {
    if (!name.starts_with(part) || !name.ends_with(".weight") || tensor.dim() < 2) continue;
    Shape rows(static_cast<size_t>(tensor.dim()), 1);
    rows[0] = -1;
    const Tensor largest = per_row ? tensor.flatten(1).abs().amax(1) : tensor.abs().amax();
    const Tensor scale = largest.clamp_min(1e-6).div(300.0);
    const Tensor stored = tensor.div(scale.view(rows)).to(format);
    file[name] = stored;
    file[name.substr(0, name.size() - 7) + suffix] = scale;
    values[name] = stored.to(at::kFloat).mul(scale.view(rows));
  }
  return values;
}

std::string refusal(const TemporaryFolder& folder, const Tensors& tensors) {
  write_safetensors(folder / "x.safetensors", tensors);
  return error_of(ErrorKind::file_format, [&] { Fp8Scales(*SafetensorsFile::open(folder / "x.safetensors")); });
}

}  // namespace

TEST(ScaledFp8, IsReadAsTheStoredNumberTimesItsScaleInEverySpelling) {
  const TemporaryFolder folder;
  write_sgm_file(open_model(emoji_xl()), folder / "m.safetensors", {});
  const struct {
    const char* suffix;
    bool per_row;
    DType format;
  } spellings[] = {{".scale_weight", false, at::kFloat8_e4m3fn}, {".weight_scale", true, at::kFloat8_e5m2}};
  for (const auto& [suffix, per_row, format] : spellings) {
    Tensors plain = tensors_of(folder / "m.safetensors"), scaled = plain;
    for (const char* part : {"model.diffusion_model.", "conditioner.embedders.1."}) {
      for (const auto& [name, values] : scale(scaled, part, suffix, per_row, format)) plain[name] = values;
      scaled[std::string(part) + "scaled_fp8"] = at::zeros({0}).to(format);
    }
    const std::string one = "model.diffusion_model.time_embed.0";
    scaled[one + ".scale_input"] = scaled[one + ".input_scale"] = at::ones({});
    scaled[one + ".comfy_quant"] = text(R"({"format": "float8_e4m3fn"})");
    write_safetensors(folder / "plain.safetensors", plain);
    write_safetensors(folder / "scaled.safetensors", scaled);
    const auto expected = open_model(folder / "plain.safetensors"), got = open_model(folder / "scaled.safetensors");
    for (const char* part : {"unet", "text_encoder_2"}) {
      const auto weights = got.weights(part), values = expected.weights(part);
      ASSERT_EQ(weights.size(), values.size());
      for (const auto& [name, source] : values)
        EXPECT_TRUE(at::equal(weights.at(name).load(at::kFloat), source.load(at::kFloat))) << name;
    }
    EXPECT_TRUE(got.unused_keys().empty());
    const auto source = got.weights("unet").at("time_embedding.linear_1.weight");
    EXPECT_EQ(source.dtype(), format);
    EXPECT_EQ(source.load({}).scalar_type(), at::kBFloat16);
  }
}

TEST(ScaledFp8, OfADiffusersFolderIsReadToo) {
  const TemporaryFolder folder;
  std::filesystem::copy(emoji_xl(), folder / "m", std::filesystem::copy_options::recursive);
  const auto file = folder / "m/unet/diffusion_pytorch_model.safetensors";
  Tensors tensors = tensors_of(file);
  const Tensors values = scale(tensors, "", ".scale_weight", false, at::kFloat8_e4m3fn);
  write_safetensors(file, tensors);
  const auto weights = open_model(folder / "m").weights("unet");
  for (const auto& [name, expected] : values) EXPECT_TRUE(at::equal(weights.at(name).load(at::kFloat), expected)) << name;
}

TEST(ScaledFp8, RefusesScalesThatFitNoWeight) {
  const TemporaryFolder folder;
  const Tensor fp8 = at::ones({4, 2}).to(at::kFloat8_e4m3fn);
  EXPECT_THAT(refusal(folder, {{"a.weight", at::ones({4, 2})}, {"a.scale_weight", at::ones({})}}),
              ::testing::HasSubstr("a.scale_weight is the scale of a.weight, which is Float; expected fp8"));
  EXPECT_THAT(refusal(folder, {{"a.weight", fp8}, {"a.weight_scale", at::ones({2})}}),
              ::testing::HasSubstr("expected one number, or one for each of the 4 rows"));
  EXPECT_THAT(refusal(folder, {{"a.weight", fp8}, {"a.weight_scale", at::ones({1}, at::kLong)}}),
              ::testing::HasSubstr("expected one number"));
  EXPECT_THAT(refusal(folder, {{"a.weight", fp8}, {"a.comfy_quant", text(R"({"format": "nvfp4"})")}}),
              ::testing::HasSubstr("says the format \"nvfp4\", which is not read"));
  EXPECT_THAT(refusal(folder, {{"a.weight", fp8}, {"a.comfy_quant", at::ones({3})}}), ::testing::HasSubstr("is no short text"));
}

}  // namespace negativa
