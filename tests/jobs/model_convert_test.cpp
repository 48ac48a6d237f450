// `model convert`: what torch.save wrote, as safetensors; and the words of embeddings that a session then has.
#include "jobs/model_convert.h"

#include "base/files.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "engine/records.h"
#include "engine/session.h"
#include "engine/test_engine.h"
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

}  // namespace

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
