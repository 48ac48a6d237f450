// Trainings from their plan to their file, as a program without previews runs them.
#include "base/files.h"
#include "base/temporary_folder.h"
#include "golden_file.h"
#include "train/embedding_run.h"
#include "train/lora_run.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

struct TrainingRunWithoutPreviews : testing::Test {
  TemporaryFolder folder;
  EventSink events;
  CancelToken cancel;

  template <class Options>
  Options options(const std::string& out) {
    make_folder(folder / "data");
    fs::copy_file(test::source_folder() / "tests/golden/dataset/tall.png", folder / "data/tall.png",
                  fs::copy_options::overwrite_existing);
    Options options;
    options.data.data = folder / "data";
    options.data.resolution = 32;
    options.step.steps = 1;
    options.run.out = folder / out;
    options.model.threads = 1;
    return options;
  }
  TrainLoraOptions lora_options(const std::string& out) {
    auto lora = options<TrainLoraOptions>(out);
    lora.data.prompt = "wrong";
    lora.rank = 1;
    return lora;
  }
};

TEST_F(TrainingRunWithoutPreviews, WritesTheFileAndItsRunFolderOnce) {
  const auto run = [&] {
    return run_lora_training(plan_lora_training(lora_options("a.safetensors"), {test::places()}), {"steps = 1\n"},
                             {events, cancel});
  };
  const TrainReport report = run();
  EXPECT_FALSE(report.was_finished);
  EXPECT_EQ(report.sha256, sha256_file(folder / "a.safetensors"));
  EXPECT_TRUE(fs::is_directory(report.run_folder));
  bool kept_config = false;
  for (const auto& entry : fs::directory_iterator(report.run_folder))
    kept_config |= entry.path().extension() == ".toml" && read_file(entry.path()) == "steps = 1\n";
  EXPECT_TRUE(kept_config);
  EXPECT_TRUE(run().was_finished);
  auto embedding = options<TrainEmbeddingOptions>("b.safetensors");
  embedding.name = "bad-word";
  const auto other = run_embedding_training(plan_embedding_training(embedding, {test::places()}), {}, {events, cancel});
  EXPECT_EQ(other.sha256, sha256_file(folder / "b.safetensors"));
}

TEST_F(TrainingRunWithoutPreviews, RefusesAValidationPromptAndANameThatCannotBeWritten) {
  auto lora = lora_options("a.safetensors");
  lora.run.validation_prompt = "lion";
  const auto refused = [&](const TrainLoraOptions& options) {
    return error_of(ErrorKind::input, [&] {
      run_lora_training(plan_lora_training(options, {test::places()}), {}, {events, cancel});
    });
  };
  EXPECT_TRUE(contains(refused(lora), "nothing draws previews"));
  EXPECT_FALSE(fs::exists(RunFolder::beside(lora.run.out)));
  EXPECT_TRUE(contains(refused(lora_options("a.bin")), "a.bin"));
}

TEST_F(TrainingRunWithoutPreviews, TilesOfTheVaeAreInTheRecipeWhereTheyCutPictures) {
  const auto recipe_of = [&](const std::string& out, std::optional<int64_t> tile) {
    auto lora = lora_options(out);
    lora.model.vae_tile = tile;
    run_lora_training(plan_lora_training(lora, {test::places()}), {}, {events, cancel});
    return read_file(RunFolder::beside(lora.run.out) / "recipe.json");
  };
  const auto whole = recipe_of("a.safetensors", {}), tiled = recipe_of("b.safetensors", 16);
  EXPECT_FALSE(contains(whole, "vae_tile"));
  EXPECT_TRUE(contains(tiled, "\"vae_tile\":16")) << tiled;
  EXPECT_EQ(recipe_of("c.safetensors", 32), whole) << "a square as large as the picture cuts nothing";
  auto odd = lora_options("d.safetensors");
  odd.model.vae_tile = 18;
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { plan_lora_training(odd, {test::places()}); }), "multiple of 4"));
}

TEST_F(TrainingRunWithoutPreviews, RefusesAVaeWithoutEncoder) {
  std::map<std::string, Tensor> decoder;
  const auto source = test::golden("vae_tiny");
  for (const auto& entry : source->entries())
    if (entry.name.starts_with("vae.decoder.")) decoder[entry.name.substr(4)] = source->load(entry);
  write_safetensors(folder / "taesdxl_decoder.safetensors", decoder);
  auto lora = lora_options("a.safetensors");
  lora.model.vae = (folder / "taesdxl_decoder.safetensors").string();
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { plan_lora_training(lora, {test::places()}); }), "decoder alone"));
}

}  // namespace
}  // namespace negativa
