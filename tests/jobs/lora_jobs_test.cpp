// convert, merge and bake, as the command line runs them.
#include <fstream>

#include "base/files.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "engine/test_engine.h"
#include "jobs/generate.h"
#include "jobs/lora_bake.h"
#include "jobs/lora_convert.h"
#include "jobs/lora_layers.h"
#include "jobs/lora_merge.h"
#include "model/recipe_inputs.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

const std::string bundled = std::string(NEGATIVA_SOURCE_DIR) + "/models/";
const std::string kohya = std::string(NEGATIVA_SOURCE_DIR) + "/tests/golden/lora_kohya.safetensors";
const std::string wrong = bundled + "wrong-lora/wrong.safetensors";

Path convert(const Path& file, const Path& out, const std::string& format) {
  LoraConvertOptions options;
  options.file = file;
  options.out = out;
  options.format = format;
  EXPECT_LT(test::run(lora_convert, options).largest_change, 1e-6);
  return out;
}

LoraMergeOptions merging(std::vector<std::string> loras, const Path& out) {
  LoraMergeOptions options;
  options.loras = std::move(loras);
  options.out = out;
  return options;
}

Metadata header(const Path& file) { return SafetensorsFile::open(file)->metadata(); }

// Final latents of two steps.
Tensor latents(const TemporaryFolder& folder, const std::string& model, const std::vector<std::string>& lora) {
  GenerateOptions options;
  options.model.model = model;
  options.model.device = "cpu";
  options.picture.prompt = "a big lion";
  options.picture.negative_prompt = "wrong";
  options.picture.seed = 1;
  options.picture.steps = 2;
  options.picture.lora = lora;
  options.output.out = folder / "picture.png";
  options.output.save_tensors = folder / "picture.safetensors";
  test::run(generate, options);
  return SafetensorsFile::open(options.output.save_tensors)->load("latents");
}

double relative(const Tensor& got, const Tensor& expected) { return ((got - expected).norm() / expected.norm()).item<double>(); }

}  // namespace

TEST(LoraConvert, GoesThroughEveryDialectAndComesBackTheSameBytes) {
  const TemporaryFolder folder;
  const Path first = convert(kohya, folder / "kohya.safetensors", "kohya");
  const Path diffusers = convert(first, folder / "diffusers.safetensors", "diffusers");
  const Path peft = convert(diffusers, folder / "peft", "peft");
  EXPECT_EQ(read_file(convert(peft, folder / "again.safetensors", "kohya")), read_file(first));
  EXPECT_EQ(header(first).at("ss_output_name"), "golden");  // what the file said is carried along
  convert(peft, folder / "one.safetensors", "peft");
}

TEST(LoraConvert, KeepsHalfPrecisionAndMetadata) {
  const TemporaryFolder folder;
  const auto golden = SafetensorsFile::open(kohya);
  std::map<std::string, Tensor> half;
  for (const auto& entry : golden->entries()) half[entry.name] = golden->load(entry, at::kHalf);
  write_safetensors(folder / "half.safetensors", half, {{"modelspec.trigger_phrase", "wrong"}});
  const Path out =
      convert(convert(folder / "half.safetensors", folder / "a.safetensors", "diffusers"), folder / "b.safetensors", "kohya");
  EXPECT_EQ(SafetensorsFile::open(out)->data_sha256(), SafetensorsFile::open(folder / "half.safetensors")->data_sha256());
  EXPECT_EQ(header(out).at("modelspec.trigger_phrase"), "wrong");
}

TEST(LoraConvert, KnowsTheLayersOfFullSizeSdxlWithoutTheModel) {
  const TemporaryFolder folder;
  std::map<std::string, Tensor> tensors;
  const std::string stem = "lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k";
  tensors[stem + ".lora_down.weight"] = at::ones({2, 2048});
  tensors[stem + ".lora_up.weight"] = at::ones({640, 2});
  write_safetensors(folder / "sdxl.safetensors", tensors);
  EXPECT_EQ(lora_layers("", {folder / "sdxl.safetensors"}, test::places()).model, "sdxl-layers");
  EXPECT_EQ(lora_layers("", {wrong}, test::places()).model, "emoji-xl");
  EXPECT_EQ(lora_layers("", {wrong, folder / "sdxl.safetensors"}, test::places()).model,
            "emoji-xl");  // fits neither: reading says why
  convert(folder / "sdxl.safetensors", folder / "out.safetensors", "diffusers");
  EXPECT_TRUE(SafetensorsFile::open(folder / "out.safetensors")
                  ->find("unet.down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k.lora.down.weight"));
}

TEST(LoraConvert, APlanWritesNothing) {
  const TemporaryFolder folder;
  LoraConvertOptions options;
  options.file = kohya;
  options.out = folder / "a.safetensors";
  options.format = "peft";
  EXPECT_EQ(test::run(plan_lora_convert, options).layers,
            (std::map<std::string, int>{{"unet", 9}, {"text_encoder", 3}, {"text_encoder_2", 3}}));
  EXPECT_EQ(folder.count_files(), 0u);
}

TEST(LoraMerge, IsWhatTheLorasDoTogether) {
  const TemporaryFolder folder;
  const auto report = test::run(lora_merge, merging({wrong + ":0.7", kohya + ":-0.1"}, folder / "merged.safetensors"));
  EXPECT_EQ(report.layers.size(), 145u);  // 136, of which six are in both, and nine more
  EXPECT_TRUE(report.mean_cosine.has_value());
  const Tensor together = latents(folder, "", {wrong + ":0.7", kohya + ":-0.1"});
  EXPECT_LT(relative(latents(folder, "", {(folder / "merged.safetensors").string()}), together), 1e-5);
  EXPECT_GT(relative(latents(folder, "", {}), together), 1e-3);
}

TEST(LoraMerge, SaysInTheFileWhatItIsMadeOf) {
  const TemporaryFolder folder;
  test::run(lora_merge, merging({wrong + ":0.7", kohya}, folder / "merged.safetensors"));
  const auto metadata = header(folder / "merged.safetensors");
  EXPECT_EQ(metadata.at("modelspec.merged_from"), "wrong.safetensors, lora_kohya.safetensors");
  EXPECT_EQ(metadata.at("modelspec.trigger_phrase"), "wrong");
  EXPECT_EQ(metadata.at("ss_output_name"), "merged");
  EXPECT_EQ(metadata.at("ss_network_dim"), "Dynamic");
  const Json parts = parse_json(metadata.at("negativa.merged_from"), "parts");
  EXPECT_EQ(parts[0]["weight"], 0.7);
  EXPECT_EQ(parts[1]["sha256"], lora_input(kohya, {}).sha256);
}

TEST(LoraMerge, TheSameMergeIsTheSameBytes) {
  const TemporaryFolder folder;
  for (const char* method : {"concat", "svd"}) {
    auto options = merging({wrong, kohya + ":0.5"}, folder / "a.safetensors");
    options.method = method;
    test::run(lora_merge, options);
    const std::string first = read_file(options.out);
    set_threads(2);
    test::run(lora_merge, options);
    EXPECT_EQ(read_file(options.out), first) << method;
  }
}

TEST(LoraMerge, ReportsErrorsAndInterferenceOfTheWhole) {
  const TemporaryFolder folder;
  auto options = merging({wrong, wrong + ":-0.5"}, folder / "a.safetensors");
  options.method = "svd";
  options.rank = 1;
  const auto report = test::run(plan_lora_merge, options);
  EXPECT_EQ(folder.count_files(), 0u);
  EXPECT_NEAR(*report.mean_cosine, -1, 1e-9);
  EXPECT_NEAR(report.kept_energy, 0.25 / 1.25, 1e-9);
  EXPECT_GT(report.best_error, 0.1);
  EXPECT_NEAR(report.error, report.best_error, 1e-6);
  EXPECT_EQ(report.layers.size(), 136u);
  EXPECT_EQ(report.layers[0].rank, 1);
  EXPECT_GT(report.layers[0].full_rank, 1);
}

TEST(LoraBake, DrawsWhatTheAttachedLoraDraws) {
  const TemporaryFolder folder;
  LoraBakeOptions options;
  options.lora = {wrong + ":0.8", kohya + ":0.1"};
  options.out = folder / "baked";
  options.weights_dtype = "fp32";
  const auto report = test::run(lora_bake, options);
  EXPECT_EQ(report.baked.changed.at("unet"), 139);  // 136 and three that only the second has
  EXPECT_EQ(report.baked.changed.at("text_encoder"), 3);
  const Tensor attached = latents(folder, "", options.lora);
  EXPECT_LT(relative(latents(folder, options.out, {}), attached), 1e-5);
  EXPECT_GT(relative(latents(folder, "", {}), attached), 1e-3);
}

TEST(LoraBake, LeavesNothingWhenItFails) {
  const TemporaryFolder folder;
  LoraBakeOptions options;
  options.lora = {wrong + ":1e7"};
  options.out = folder / "baked";
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { test::run(lora_bake, options); }), "cannot hold"));
  CancelToken cancelled;
  cancelled.cancel();
  options.lora = {wrong};
  error_of(ErrorKind::cancelled, [&] { test::run(lora_bake, options, cancelled); });
  EXPECT_GT(test::run(plan_lora_bake, options).baked.bytes, 20'000'000);
  EXPECT_EQ(folder.count_files(), 0u);
}

TEST(LoraInput, OfAPeftFolderOfSeveralPartsIsThatOfAllOfThem) {
  const TemporaryFolder folder;
  convert(kohya, folder / "peft", "peft");
  const auto before = lora_input(folder / "peft", {});
  EXPECT_EQ(before.name, "peft");
  fs::copy_file(folder / "peft/text_encoder/adapter_model.safetensors", folder / "peft/unet/adapter_model.safetensors",
                fs::copy_options::overwrite_existing);
  EXPECT_NE(lora_input(folder / "peft", {}).sha256, before.sha256);
}

}  // namespace negativa
