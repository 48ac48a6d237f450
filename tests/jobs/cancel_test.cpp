// A model of full size takes minutes to hash before its first run.
#include "base/cancel.h"

#include <cstdlib>

#include "base/files.h"
#include "base/names.h"
#include "base/sha256.h"
#include "base/temporary_folder.h"
#include "jobs/inspect_model.h"
#include "jobs/lora_bake.h"
#include "jobs/lora_layers.h"
#include "jobs/lora_merge.h"
#include "jobs/records.h"
#include "jobs/train_pictures.h"
#include "jobs/training_run.h"
#include "lora/inspect.h"
#include "train/cache.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

TEST(Cancel, EveryHashOfAFileHearsIt) {
  const TemporaryFolder folder;
  ::setenv("XDG_CACHE_HOME", (folder / "cache").c_str(), 1);  // with no hash in it
  const fs::path models = fs::path(NEGATIVA_SOURCE_DIR) / "models", lora = models / "wrong-lora/wrong.safetensors",
                 vae = models / "emoji-xl/vae";
  const ModelFiles files = open_model(models / "emoji-xl");
  ModelOptions options;
  options.model = (models / "emoji-xl").string();
  PictureOptions picture;
  picture.lora = {lora.string()};
  GenerateOptions remade;
  remade.output.from = folder / "a.png";
  CancelToken running, cancelled;
  cancelled.cancel();
  Engine engine(options, 1);
  picture.seed = 1;
  const PictureOptions resolved = engine.resolved(picture);
  const RunInputs inputs = run_inputs(engine, options, {resolved}, &running);
  write_atomically(remade.output.from, encode_png(Image8{1, 1, {0, 0, 0}},
                                                  picture_text(resolved, picture_recipe(engine, options, resolved, inputs))));
  fs::remove_all(folder / "cache");
  Training training;
  training.files = files;
  const std::vector<std::pair<const char*, std::function<void(const CancelToken&)>>> hashes{
      {"sha256_file", [&](const CancelToken& cancel) { sha256_file(lora, &cancel); }},
      {"cached_sha256_file", [&](const CancelToken& cancel) { cached_sha256_file(lora, &cancel); }},
      {"recipe_input", [&](const CancelToken& cancel) { recipe_input("embedding", lora, &cancel); }},
      {"data_sha256", [&](const CancelToken& cancel) { SafetensorsFile::open(lora)->data_sha256(&cancel); }},
      {"model_input", [&](const CancelToken& cancel) { model_input("model", files, &cancel); }},
      {"vae_input", [&](const CancelToken& cancel) { vae_input(vae, &cancel); }},
      {"lora_input", [&](const CancelToken& cancel) { lora_input(lora, &cancel); }},
      {"run_inputs", [&](const CancelToken& cancel) { run_inputs(engine, options, {resolved}, &cancel); }},
      {"set_from_picture",
       [&](const CancelToken& cancel) {
         GenerateOptions again = remade;
         again.model.model = options.model;
         again.picture.lora = {lora.string()};
         Fields fields = fields_of(again);
         set_from_picture(fields, again, &cancel);
       }},
      {"inspect_model", [&](const CancelToken& cancel) { inspect_model(options.model, &cancel); }},
      {"inspect_lora", [&](const CancelToken& cancel) { inspect_lora(lora, nullptr, &cancel); }},
      {"read_loras",
       [&](const CancelToken& cancel) { read_loras({lora.string()}, "--lora", lora_targets(files), false, &cancel); }},
      {"vae_sha256", [&](const CancelToken& cancel) { vae_sha256(files, &cancel); }},
      {"text_sha256", [&](const CancelToken& cancel) { text_sha256(files, &cancel); }},
      {"training_recipe", [&](const CancelToken& cancel) { training_recipe("train lora", training, {}, "{}", cancel); }},
  };
  for (const auto& [name, hash] : hashes) {
    SCOPED_TRACE(name);
    error_of(ErrorKind::cancelled, [&] { hash(cancelled); });
    EXPECT_NO_THROW(hash(running));
  }
  ::unsetenv("XDG_CACHE_HOME");
}

}  // namespace
}  // namespace negativa
