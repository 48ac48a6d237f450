#include "vision/clip_model.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
#include "base/temporary_folder.h"
#include "golden_file.h"
#include "io/weight_files.h"

namespace negativa {
namespace {

// A file with the header of all these fp16 tensors and no data on the disk: a hole of its full size.
void write_sparse(const std::filesystem::path& path, const Json& tensors) {
  Json header = Json::object();
  uint64_t end = 0;
  const auto add = [&](const std::string& name, const std::vector<int64_t>& shape) {
    const uint64_t begin = end;
    end += 2 * static_cast<uint64_t>(c10::multiply_integers(shape));
    header[name] = {{"dtype", "F16"}, {"shape", shape}, {"data_offsets", {begin, end}}};
  };
  for (const auto& [pattern, of] : tensors.items()) {
    const auto star = pattern.find('*');
    for (int layer = 0; layer < of[0].get<int>(); ++layer)
      add(star == std::string::npos ? pattern : std::string(pattern).replace(star, 1, std::to_string(layer)),
          of[1].get<std::vector<int64_t>>());
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(&length), 8) << text;
  std::filesystem::resize_file(path, 8 + length + end);
}

TEST(CLIPModel, HasTheNamesAndShapesOfThePublishedModels) {
  const Json models = read_json_file(test::source_folder() / "tests/golden/clip_models.json");
  ASSERT_EQ(models.size(), 3u);
  for (const auto& [name, published] : models.items()) {
    TemporaryFolder folder;
    write_sparse(folder / "model.safetensors", published["tensors"]);
    const Weights weights = read_part("judge", find_weight_files(folder.path(), "model"));
    CLIPModel model(CLIPConfig::parse(published["config"].dump(), name));
    EXPECT_NO_THROW(nn::check_weights(name, nn::walk(model), weights)) << name;
    EXPECT_EQ(nn::parameter_count(nn::walk(model)), published["parameters"].get<int64_t>()) << name;
  }
}

TEST(CLIPConfig, TakesDefaultsAndLetsTheOlderSpellingWinAsTransformersDoes) {
  const auto config = CLIPConfig::parse("{}", "config");
  EXPECT_EQ(config.projection_dim, 512);
  EXPECT_EQ(config.vision.hidden_size, 768);
  EXPECT_EQ(config.vision.patches_a_side(), 7);
  EXPECT_TRUE(config.text.with_projection);
  const auto twice = CLIPConfig::parse(
      R"({"vision_config": {"hidden_size": 64, "patch_size": 14}, "vision_config_dict": {"hidden_size": 96}, "text_config": null})",
      "config");
  EXPECT_EQ(twice.vision.hidden_size, 96);
  EXPECT_EQ(twice.vision.patch_size, 32);
  EXPECT_EQ(CLIPConfig::parse(R"({"vision_config": {"image_size": [64, 64]}})", "config").vision.image_size, 64);
}

TEST(CLIPConfig, RefusesWhatCannotBe) {
  for (const char* text : {"{", "[]", R"({"model_type": "siglip"})", R"({"projection_dim": 0})", R"({"vision_config": []})",
                           R"({"vision_config": {"image_size": 0}})", R"({"vision_config": {"image_size": [64, 32]}})",
                           R"({"vision_config": {"patch_size": 0}})", R"({"vision_config": {"patch_size": 300}})",
                           R"({"vision_config": {"num_channels": 1}})", R"({"vision_config": {"hidden_size": 100}})",
                           R"({"text_config": {"hidden_size": 100}})"})
    error_of(ErrorKind::file_format, [&] { CLIPConfig::parse(text, "config.json"); });
  EXPECT_THROW(CLIPConfig::parse(R"({"vision_config": {"hidden_act": "tanh"}})", "config.json"), Error);
}

}  // namespace
}  // namespace negativa
