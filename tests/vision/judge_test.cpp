#include "vision/judge.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/names.h"
#include "base/temporary_folder.h"
#include "golden_file.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

const Judge& bundled_judge() {
  static const Judge judge = Judge::load(test::bundled_model() / names::judge_folder);
  return judge;
}

// A copy of the bundled judge to be spoilt.
struct Spoilt : TemporaryFolder {
  Spoilt() {
    for (const auto& file : fs::directory_iterator(test::bundled_model() / names::judge_folder))
      if (file.path().filename() != names::text_weights) fs::copy(file, path());
    fs::create_symlink(test::bundled_model() / names::judge_folder / names::text_weights, weights());
    for (const auto& file : fs::directory_iterator(path()))
      if (!file.is_symlink()) fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
  }
  fs::path weights() const { return path() / names::text_weights; }
  void edit(const std::string& file, const std::string& json_pointer, const Json& value) const {
    Json json = read_json_file(path() / file);
    json[Json::json_pointer(json_pointer)] = value;
    write_atomically(path() / file, json.dump());
  }
  // The weights as `change` leaves them, in that number format.
  void rewrite(DType dtype, const std::function<void(std::map<std::string, Tensor>&)>& change) const {
    const auto file = SafetensorsFile::open(test::bundled_model() / names::judge_folder / names::text_weights);
    std::map<std::string, Tensor> tensors;
    for (const auto& entry : file->entries()) tensors.emplace(entry.name, file->load(entry, dtype));
    change(tensors);
    fs::remove(weights());
    write_safetensors(weights(), tensors);
  }
  std::string error(ErrorKind kind) const {
    return error_of(kind, [&] { Judge::load(path()); });
  }
};

TEST(Judge, ScoresEightKindsOfPicturesAsTransformersDoes) {
  const auto file = test::golden("vision");
  const Json files = parse_json(file->metadata().at("files"), "files"), texts = parse_json(file->metadata().at("texts"), "texts");
  const Tensor scores = file->load("scores"), probabilities = file->load("probabilities");
  std::vector<SeenText> seen;
  for (const auto& text : texts) seen.push_back(bundled_judge().read(text.get<std::string>()));
  std::vector<const UnitVector*> vectors;
  for (const auto& text : seen) vectors.push_back(&text.vector);
  ASSERT_EQ(files.size(), 8u);
  for (size_t i = 0; i < files.size(); ++i) {
    const UnitVector image =
        bundled_judge().see(read_image(test::source_folder() / "tests/golden/vision" / files[i].get<std::string>()));
    const auto chosen = bundled_judge().probabilities(image, vectors);
    for (size_t t = 0; t < texts.size(); ++t) {
      EXPECT_NEAR(100 * cosine(image, *vectors[t]), scores[i][t].item<double>(), 1e-4) << files[i] << texts[t];
      EXPECT_NEAR(chosen[t], probabilities[i][t].item<double>(), 1e-5) << files[i] << texts[t];
    }
  }
  EXPECT_EQ(seen[0].cut, 0);
  EXPECT_EQ(seen[3].cut, 40 * 4 - 75);  // of one longer than 77 tokens; that its end token is there, the scores say
}

TEST(Judge, IsKnownByTheFilesThatDecideWhatItSaysAndNotByTheirNumberFormat) {
  const Spoilt judge;
  judge.rewrite(at::kFloat, [](auto&) {});
  write_atomically(judge / names::judge_calibration, "{}");
  write_atomically(judge / names::judge_world, "");
  const Image8 picture = Image8::filled(64, 64, {200, 60, 60});
  const Judge loaded = Judge::load(judge.path());
  EXPECT_EQ(loaded.see(picture), bundled_judge().see(picture));
  EXPECT_EQ(loaded.read("a big lion").vector, bundled_judge().read("a big lion").vector);
  std::vector<std::string> names;
  for (const auto& file : loaded.files()) names.push_back(file.filename().string());
  for (const char* name : {"model.safetensors", "config.json", "preprocessor_config.json", "vocab.json", "merges.txt",
                           "tokenizer_config.json", "world.toml"})
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name;
  EXPECT_EQ(std::find(names.begin(), names.end(), names::judge_calibration), names.end());
}

TEST(Judge, NamesAFolderThatIsNoJudge) {
  const Spoilt judge;
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [] { Judge::load("/nonexistent/judge"); }), "does not exist"));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { Judge::load(judge / "config.json"); }), "is a file"));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [] { Judge::load(test::bundled_model()); }), "is a model that draws"));
  judge.edit("config.json", "/model_type", "siglip");
  EXPECT_TRUE(contains(judge.error(ErrorKind::file_format), "siglip"));
  fs::remove(judge / "config.json");
  EXPECT_TRUE(contains(judge.error(ErrorKind::missing_key), "has no config.json"));
}

TEST(Judge, RefusesFilesThatAreMissingOrDoNotFitEachOther) {
  {
    const Spoilt judge;
    fs::remove(judge / "merges.txt");
    EXPECT_TRUE(contains(judge.error(ErrorKind::input), "tokenizer"));
  }
  {
    const Spoilt judge;
    fs::remove(judge / "preprocessor_config.json");
    EXPECT_TRUE(contains(judge.error(ErrorKind::missing_key), "preprocessor_config.json"));
  }
  {
    const Spoilt judge;
    judge.edit("preprocessor_config.json", "/crop_size", 32);
    EXPECT_TRUE(contains(judge.error(ErrorKind::file_format), "expects 64x64"));
  }
  {
    const Spoilt judge;
    judge.edit("config.json", "/text_config/eos_token_id", 7);
    EXPECT_TRUE(contains(judge.error(ErrorKind::file_format), "end token"));
  }
  {
    const Spoilt judge;
    judge.edit("config.json", "/vision_config/image_size", 0);
    EXPECT_TRUE(contains(judge.error(ErrorKind::file_format), "image_size"));
  }
  {
    const Spoilt judge;
    judge.edit("config.json", "/vision_config/num_hidden_layers", 4);
    EXPECT_TRUE(contains(judge.error(ErrorKind::shape), "16 unexpected"));
  }
}

TEST(Judge, RefusesDamagedWeights) {
  for (const char* key : {"vision_model.encoder.layers.3.mlp.fc1.weight", "text_projection.weight", "logit_scale"}) {
    const Spoilt judge;
    judge.rewrite(at::kHalf, [&](auto& tensors) { tensors.at(key).flatten().select(0, 0).fill_(NAN); });
    EXPECT_TRUE(contains(judge.error(ErrorKind::file_format), key)) << key;
  }
  const Spoilt judge;
  judge.rewrite(at::kHalf, [](auto& tensors) { tensors.erase("visual_projection.weight"); });
  EXPECT_TRUE(contains(judge.error(ErrorKind::missing_key), "visual_projection.weight"));
}

TEST(Judge, AsksForSquarePicturesWhereItsConfigCropsNothing) {
  const Spoilt judge;
  judge.edit("preprocessor_config.json", "/do_center_crop", false);
  const Judge loaded = Judge::load(judge.path());
  EXPECT_NO_THROW(loaded.see(Image8::filled(10, 10, white)));
  EXPECT_TRUE(
      contains(error_of(ErrorKind::input, [&] { loaded.see(Image8::filled(10, 20, white)); }), "make the picture square"));
}

}  // namespace
}  // namespace negativa
