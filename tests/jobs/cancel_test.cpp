// A model of full size takes minutes to hash before its first run.
#include "base/cancel.h"

#include "base/files.h"
#include "base/temporary_folder.h"
#include "engine/records.h"
#include "engine/test_engine.h"
#include "jobs/generate.h"
#include "jobs/inspect_model.h"
#include "jobs/lora_layers.h"
#include "lora/inspect.h"
#include "model/lora_targets.h"
#include "train/cache.h"
#include "train/training_run.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

TEST(Cancel, EveryHashOfAFileHearsIt) {
  const TemporaryFolder folder;
  const fs::path models = fs::path(NEGATIVA_SOURCE_DIR) / "models", lora = models / "wrong-lora/wrong.safetensors",
                 vae = models / "emoji-xl/vae";
  const ModelFiles files = open_model(models / "emoji-xl");
  const auto new_engine = [] { return std::make_unique<Engine>(EngineSettings{.places = test::places()}); };  // knows no hash
  ModelOptions options;
  options.model = (models / "emoji-xl").string();
  options.device = "cpu";
  PictureOptions picture;
  picture.lora = {lora.string()};
  picture.seed = 1;
  GenerateOptions remade;
  remade.output.from = folder / "a.png";
  CancelToken running, cancelled;
  cancelled.cancel();
  EventSink silence;
  const auto inputs_of = [&](const CancelToken& cancel) {
    const auto engine = new_engine();
    Session session(*engine, options, {silence, cancel}, 1);
    return run_inputs(session, {session.resolved(picture)});
  };
  {
    const auto engine = new_engine();
    Session session(*engine, options, {silence, running}, 1);
    const PictureOptions resolved = session.resolved(picture);
    write_atomically(
        remade.output.from,
        encode_png(Image8{1, 1, {0, 0, 0}}, picture_text(resolved, picture_recipe(session, resolved, inputs_of(running)))));
  }
  Training training;
  ModelRequest request;
  request.model = models / "emoji-xl";
  training.models = std::make_shared<Models>(request);
  const std::vector<std::pair<const char*, std::function<void(const CancelToken&)>>> hashes{
      {"sha256_file", [&](const CancelToken& cancel) { sha256_file(lora, &cancel); }},
      {"cached_sha256_file",
       [&](const CancelToken& cancel) {
         cached_sha256_file(lora, {{}, &cancel});
       }},
      {"recipe_input",
       [&](const CancelToken& cancel) {
         recipe_input("embedding", lora, {{}, &cancel});
       }},
      {"data_sha256", [&](const CancelToken& cancel) { SafetensorsFile::open(lora)->data_sha256(&cancel); }},
      {"model_input",
       [&](const CancelToken& cancel) {
         model_input("model", files, {{}, &cancel});
       }},
      {"vae_input",
       [&](const CancelToken& cancel) {
         vae_input(open_vae(vae), {{}, &cancel});
       }},
      {"lora_input",
       [&](const CancelToken& cancel) {
         lora_input(lora, {{}, &cancel});
       }},
      {"Engine::lora", [&](const CancelToken& cancel) { new_engine()->lora(lora, *training.models, false, &cancel); }},
      {"run_inputs", inputs_of},
      {"set_from_picture",
       [&](const CancelToken& cancel) {
         GenerateOptions again = remade;
         again.model.model = options.model;
         again.picture.lora = {lora.string()};
         Fields fields = fields_of(again);
         set_from_picture(fields, again, *new_engine(), &cancel);
       }},
      {"model_inspect",
       [&](const CancelToken& cancel) {
         ModelInspectOptions asked;
         asked.model = options.model;
         model_inspect(*new_engine(), asked, silence, cancel);
       }},
      {"inspect_lora", [&](const CancelToken& cancel) { inspect_lora(lora, nullptr, &cancel); }},
      {"read_loras",
       [&](const CancelToken& cancel) {
         read_loras({lora.string()}, "--lora", lora_targets(files), {{silence, cancel}, {{}, &cancel}});
       }},
      {"vae_sha256",
       [&](const CancelToken& cancel) {
         vae_sha256(files, {{}, &cancel});
       }},
      {"text_sha256",
       [&](const CancelToken& cancel) {
         text_sha256(files, {{}, &cancel});
       }},
      {"training_recipe", [&](const CancelToken& cancel) { training_recipe("train lora", training, {}, "{}", cancel); }},
  };
  for (const auto& [name, hash] : hashes) {
    SCOPED_TRACE(name);
    error_of(ErrorKind::cancelled, [&] { hash(cancelled); });
    EXPECT_NO_THROW(hash(running));
  }
}

}  // namespace
}  // namespace negativa
