#include "base/recipe.h"

#include <cmath>

#include "base/json.h"
#include "temporary_folder.h"

namespace negativa {

namespace {
Recipe example() {
  Recipe recipe;
  recipe.verb = "generate";
  recipe.settings_json = R"({ "steps": 25, "prompt": "猫" })";
  recipe.seed = 18446744073709551615u;
  recipe.device = "cpu";
  recipe.dtype = "fp32";
  recipe.threads = 2;
  recipe.program_version = "0.1.0";
  recipe.inputs = {{"unet", "diffusion_pytorch_model.safetensors", std::string(64, 'a')}};
  return recipe;
}
}  // namespace

TEST(Recipe, IsCanonicalJsonThatReadsBack) {
  const Recipe recipe = example();
  EXPECT_EQ(
      recipe.to_text(),
      R"({"device":"cpu","dtype":"fp32","inputs":[{"name":"diffusion_pytorch_model.safetensors","role":"unet","sha256":")" +
          std::string(64, 'a') +
          R"("}],"program_version":"0.1.0","seed":18446744073709551615,"settings":{"prompt":"猫","steps":25},"threads":2,"verb":"generate"})");
  EXPECT_EQ(Recipe::from_text(recipe.to_text(), "x").to_text(), recipe.to_text());
  EXPECT_FALSE(Recipe::default_program_version().empty());
}

TEST(Recipe, EveryFieldCountsInItsHash) {
  const std::string hash = example().hash();
  EXPECT_EQ(hash.size(), 64u);
  const auto changed = [&](auto change) {
    Recipe recipe = example();
    change(recipe);
    EXPECT_NE(recipe.hash(), hash);
  };
  changed([](Recipe& r) { r.verb = "compare"; });
  changed([](Recipe& r) { r.settings_json = "{}"; });
  changed([](Recipe& r) { r.seed = 1; });
  changed([](Recipe& r) { r.device = "cuda"; });
  changed([](Recipe& r) { r.dtype = "bf16"; });
  changed([](Recipe& r) { r.threads = 1; });
  changed([](Recipe& r) { r.isa = "avx2"; });
  changed([](Recipe& r) { r.program_version = "9"; });
  changed([](Recipe& r) { r.inputs[0].sha256[0] = 'b'; });
}

// A recipe of a time before it was recorded is the same text, and so the same address.
TEST(Recipe, NamesNoInstructionSetWhereNoneIsKnown) {
  Recipe recipe = example();
  EXPECT_FALSE(contains(recipe.to_text(), "isa"));
  recipe.isa = "avx2";
  EXPECT_EQ(Recipe::from_text(recipe.to_text(), "x").isa, "avx2");
}

TEST(Recipe, RefusesForeignTextInOneLine) {
  error_of(ErrorKind::file_format, [] { Recipe::from_text("nonsense", "a.png"); });
  error_of(ErrorKind::file_format, [] { Recipe::from_text("[]", "a.png"); });
  EXPECT_TRUE(contains(error_of(ErrorKind::missing_key, [] { Recipe::from_text("{}", "a.png"); }), "[a.png]"));
  std::string text = example().to_text();
  text.replace(text.find("\"threads\":2"), 11, "\"threads\":\"2\"");
  EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { Recipe::from_text(text, "a.png"); }), "\"threads\""));
}

TEST(RunRecord, ReadsBackWithNaN) {
  RunRecord record;
  record.recipe = example();
  record.timings_s = {{"denoise", 1.5}};
  record.metrics = {{"cmmd", 0.25}, {"undefined", std::nan("")}};
  record.peak_memory_bytes = peak_memory_bytes();
  record.processor = processor_name();
  const RunRecord read = RunRecord::from_text(record.to_text(), "record.json");
  EXPECT_EQ(read.to_text(), record.to_text());
  EXPECT_TRUE(std::isnan(read.metrics.at("undefined")));
  EXPECT_EQ(read.recipe.hash(), record.recipe.hash());
  EXPECT_GT(read.peak_memory_bytes, 1u << 20);
}

}  // namespace negativa
