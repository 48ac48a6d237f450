// `model convert`: what torch.save wrote, as safetensors; and the words of embeddings that a session then has.
#include "jobs/model_convert.h"

#include "base/files.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "engine/records.h"
#include "engine/session.h"
#include "engine/test_engine.h"
#include "io/model_files.h"
#include "io/safetensors.h"
#include "jobs/lora_convert.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

Path golden_file(const std::string& name) { return fs::path(NEGATIVA_SOURCE_DIR) / "tests/golden" / name; }

ModelConvertOptions converting(const Path& file, const Path& out, const std::string& dtype = "auto") {
  ModelConvertOptions options;
  options.file = file;
  options.out = out;
  options.dtype = dtype;
  return options;
}

Path emoji_xl() { return fs::path(NEGATIVA_SOURCE_DIR) / "models/emoji-xl"; }

// A single file carries no vocabulary.
void lend_vocabulary(const TemporaryFolder& folder) {
  for (const char* part : {"tokenizer", "tokenizer_2"}) fs::create_directory_symlink(emoji_xl() / part, folder / part);
}

// The miniature with another scheduler_config.json.
Path emoji_with_scheduler(const TemporaryFolder& folder, const std::string& config) {
  const Path model = folder / "model";
  fs::create_directories(model / "scheduler");
  for (const char* part : {"unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2"})
    fs::create_directory_symlink(emoji_xl() / part, model / part);
  fs::copy_file(emoji_xl() / "model_index.json", model / "model_index.json");
  write_atomically(model / "scheduler/scheduler_config.json", config);
  return model;
}

}  // namespace

TEST(ModelConvert, FromFolderToFileToFolderToFileIsTheSameBytes) {
  for (const auto& path : {emoji_xl(), emoji_xl() / "refiner"}) {
    SCOPED_TRACE(path);
    const TemporaryFolder folder;
    lend_vocabulary(folder);
    test::run(model_convert, converting(path, folder / "a.safetensors", "fp32"));
    const auto there = test::run(model_convert, converting(folder / "a.safetensors", folder / "b"));
    const auto back = test::run(model_convert, converting(folder / "b", folder / "c.safetensors"));
    EXPECT_EQ(read_file(folder / "a.safetensors"), read_file(folder / "c.safetensors"));
    EXPECT_LT(back.tensors, there.tensors);  // q, k and v of an encoder are one
    EXPECT_EQ(back.bytes, there.bytes);
    const auto original = open_model(path), model = open_model(folder / "b");
    for (const char* part : {"unet", "vae", "text_encoder", "text_encoder_2", "scheduler", "model_index"}) {
      ASSERT_EQ(model.has(part), original.has(part));
      if (!model.has(part)) continue;
      EXPECT_EQ(parse_json(model.config_json(part), part), parse_json(original.config_json(part), part)) << part;
    }
    for (const auto& [name, source] : original.weights("text_encoder_2"))
      EXPECT_TRUE(at::equal(model.weights("text_encoder_2").at(name).load({}), source.load(at::kFloat))) << name;
  }
}

TEST(ModelConvert, KeepsConfigsThatJsonCannotHoldAndSaysWhatTheModelPredicts) {
  const TemporaryFolder folder;
  const std::string config = R"({"_class_name": "EulerDiscreteScheduler", "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": true, "lambda_min_clipped": -Infinity})";
  const Path model = emoji_with_scheduler(folder, config);
  lend_vocabulary(folder);
  test::run(model_convert, converting(model, folder / "a.safetensors"));
  const auto file = open_model(folder / "a.safetensors");
  EXPECT_TRUE(file.file->find("v_pred") && file.file->find("ztsnr"));
  EXPECT_EQ(file.config_json("scheduler"), config);
  test::run(model_convert, converting(folder / "a.safetensors", folder / "b"));
  EXPECT_EQ(read_file(folder / "b/scheduler/scheduler_config.json"), config);
  test::run(model_convert, converting(folder / "b", folder / "c.safetensors"));
  EXPECT_EQ(read_file(folder / "a.safetensors"), read_file(folder / "c.safetensors"));
}

TEST(ModelConvert, StoresMatricesInFp8AndReadsThemBack) {
  const TemporaryFolder folder;
  lend_vocabulary(folder);
  test::Heard heard;
  ModelConvertReport report;
  {
    const test::Listening listening(heard);
    report = test::run(model_convert, converting(emoji_xl(), folder / "a.safetensors", "fp8"));
  }
  EXPECT_GT(report.kept, 0);
  EXPECT_EQ(report.saturated, 0);
  EXPECT_EQ(heard.notices.size(), 1u);
  EXPECT_TRUE(contains(heard.notices.front(), "stay as they are")) << heard.notices.front();
  const auto file = open_model(folder / "a.safetensors");
  int fp8 = 0;
  for (const auto& entry : file.file->entries()) fp8 += entry.dtype == at::kFloat8_e4m3fn;
  EXPECT_EQ(fp8, report.tensors - report.kept);
  const auto original = open_model(emoji_xl()).weights("text_encoder_2"), got = file.weights("text_encoder_2");
  for (const auto& [name, source] : original) {
    const Tensor expected = source.load(at::kFloat), stored = got.at(name).load(at::kFloat);
    EXPECT_LE((stored - expected).abs().max().item<float>(), expected.abs().max().item<float>() / 16) << name;
  }
  test::run(model_convert, converting(folder / "a.safetensors", folder / "b"));
  test::run(model_convert, converting(folder / "b", folder / "c.safetensors"));
  EXPECT_EQ(read_file(folder / "a.safetensors"), read_file(folder / "c.safetensors"));
  EXPECT_TRUE(contains(
      error_of(ErrorKind::input,
               [&] { test::run(model_convert, converting(golden_file("pickles/zip.pt"), folder / "x.safetensors", "fp8")); }),
      "fp8 is for a whole SDXL model"));
}

TEST(ModelConvert, WritesTheTensorsOfAPickleAndSaysWhatItLeavesOut) {
  const TemporaryFolder folder;
  const auto report = test::run(model_convert, converting(golden_file("pickles/wrapped.ckpt"), folder / "x.safetensors"));
  EXPECT_EQ(report.tensors, 2);
  EXPECT_EQ(report.bytes, 32);
  EXPECT_EQ(report.left_out, (std::vector<std::string>{"callbacks", "optimizer_states"}));
  const auto got = SafetensorsFile::open(folder / "x.safetensors"),
             expected = SafetensorsFile::open(golden_file("pickles/wrapped.safetensors"));
  EXPECT_EQ(got->data_sha256(), expected->data_sha256());
  EXPECT_EQ(got->metadata().at("global_step"), "470000");
}

TEST(ModelConvert, StoresFloatingPointNumbersInTheFormatAskedFor) {
  const TemporaryFolder folder;
  const auto options = converting(golden_file("pickles/zip.pt"), folder / "x.safetensors", "bf16");
  EXPECT_EQ(test::run(plan_model_convert, options).tensors, 18);
  EXPECT_EQ(folder.count_files(), 0u);
  test::run(model_convert, options);
  const auto file = SafetensorsFile::open(folder / "x.safetensors");
  EXPECT_EQ(file->find("transposed")->dtype, at::kBFloat16);
  EXPECT_EQ(file->find("int32")->dtype, at::kInt);
  EXPECT_TRUE(at::equal(file->load("double"), file->load("bfloat16")));
}

TEST(ModelConvert, LeavesNothingWhereTheFileOrTheNumberFormatWillNotDo) {
  const TemporaryFolder folder;
  write_atomically(folder / "evil.pt", std::string("cos\nsystem\n(S'touch proof'\ntR."));
  EXPECT_TRUE(contains(error_of(ErrorKind::file_format,
                                [&] { test::run(model_convert, converting(folder / "evil.pt", folder / "x.safetensors")); }),
                       "calls os.system"));
  write_safetensors(folder / "large.safetensors", {{"a", at::full({2}, 1e6f)}});
  EXPECT_TRUE(contains(
      error_of(ErrorKind::input,
               [&] { test::run(model_convert, converting(folder / "large.safetensors", folder / "x.safetensors", "fp16")); }),
      "cannot hold"));
  EXPECT_EQ(folder.count_files(), 2u);
}

TEST(LoraConvert, WritesSafetensorsFromAPickle) {
  const TemporaryFolder folder;
  LoraConvertOptions options;
  options.file = golden_file("pickles/lora_2023.bin");
  options.out = folder / "from_pickle.safetensors";
  options.format = "kohya";
  EXPECT_LT(test::run(lora_convert, options).largest_change, 1e-6);
  options.file = golden_file("lora_diffusers_2023.safetensors");
  options.out = folder / "from_safetensors.safetensors";
  test::run(lora_convert, options);
  EXPECT_EQ(SafetensorsFile::open(folder / "from_pickle.safetensors")->data_sha256(),
            SafetensorsFile::open(folder / "from_safetensors.safetensors")->data_sha256());
}

TEST(SessionWords, AreThoseOfEveryFileAndOfAPairOnce) {
  const TemporaryFolder folder;
  write_safetensors(folder / "learned_embeds.safetensors", {{"<toy>", at::zeros({1, 64})}});
  write_safetensors(folder / "learned_embeds_2.safetensors", {{"<toy>", at::zeros({1, 96})}});
  write_safetensors(folder / "several.safetensors", {{"<a>", at::zeros({64})}, {"<b>", at::zeros({64})}});
  ModelOptions model;
  model.device = "cpu";
  model.embedding = {folder / "learned_embeds_2.safetensors", folder / "several.safetensors",
                     folder / "learned_embeds.safetensors"};
  Session session = test::session(model, 1);
  EXPECT_EQ(session.words_of_embedding(0).size(), 0u);
  EXPECT_EQ(session.words_of_embedding(1).size(), 2u);
  EXPECT_EQ(session.words_of_embedding(1)[1].name, "<b>");
  ASSERT_EQ(session.words_of_embedding(2).size(), 1u);
  EXPECT_EQ(session.words_of_embedding(2)[0].also, "<toy>");
  EXPECT_TRUE(session.words_of_embedding(2)[0].clip_g.defined());
}

TEST(SessionWords, MoveTheRowOfThePooledVectorAsAsked) {
  const TemporaryFolder folder;
  write_safetensors(folder / "toy.safetensors", {{"clip_l", at::ones({1, 64})}, {"clip_g", at::ones({1, 96})}});
  ModelOptions model;
  model.device = "cpu";
  model.embedding = {folder / "toy.safetensors"};
  Session session = test::session(model, 1);
  PictureOptions picture;
  picture.prompt = "a toy lion";
  picture.seed = 1;
  EXPECT_EQ(session.plan(picture).pooled_row, PooledRow::diffusers);
  picture.pooled_row = "end";
  EXPECT_EQ(session.plan(picture).pooled_row, PooledRow::end_token);
  EXPECT_TRUE(picture_settings(picture).contains("pooled_row"));
  picture.pooled_row = "diffusers";
  EXPECT_FALSE(picture_settings(picture).contains("pooled_row"));
}

}  // namespace negativa
