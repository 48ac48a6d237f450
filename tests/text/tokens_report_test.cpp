#include "text/tokens_report.h"

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "io/safetensors.h"
#include "text/emoji.h"

namespace negativa {
namespace {

TokensReport report_of(const std::string& prompt, Weighting weighting = Weighting::compel) {
  return tokens_report(load_tokenizers(source_path("models/clip-tokenizer")), prompt, weighting);
}

void expect_same(const TokensReport& got, const TokensReport& expected) {
  ASSERT_EQ(got.parts.size(), expected.parts.size());
  for (size_t i = 0; i < got.parts.size(); ++i) {
    EXPECT_EQ(got.parts[i].name, expected.parts[i].name);
    EXPECT_EQ(got.parts[i].tokens.ids, expected.parts[i].tokens.ids);
    EXPECT_EQ(got.parts[i].tokens.weights, expected.parts[i].tokens.weights);
    EXPECT_EQ(got.parts[i].pieces, expected.parts[i].pieces);
  }
  EXPECT_EQ(got.cut, expected.cut);
}

TEST(TokensReport, IsThatOfTheTokenizersASingleFileDrawsWith) {
  const TemporaryFolder folder;
  const std::string sdxl = "model.diffusion_model.label_emb.0.0.weight", first = "conditioner.embedders.0.transformer.x",
                    second = "conditioner.embedders.1.model.x";
  write_safetensors(folder / "base.safetensors", {{sdxl, at::zeros({1})}, {first, at::zeros({1})}, {second, at::zeros({1})}});
  write_safetensors(folder / "refiner.safetensors",
                    {{sdxl, at::zeros({1})}, {"conditioner.embedders.0.model.x", at::zeros({1})}});
  const auto of_file = [&](const char* name) {
    return tokens_report(load_tokenizers(folder / name, {.bundled = std::filesystem::path(NEGATIVA_SOURCE_DIR) / "models"}),
                         "a (cat)1.5!", Weighting::compel);
  };
  expect_same(of_file("base.safetensors"), report_of("a (cat)1.5!"));
  const auto refiner = of_file("refiner.safetensors");
  ASSERT_EQ(refiner.parts.size(), 1u);
  EXPECT_EQ(refiner.parts[0].name, "tokenizer_2");
  EXPECT_EQ(refiner.parts[0].pieces[0][2], "cat</w>");
}

TEST(TokensReport, GivesOneRowForEachText) {
  EXPECT_EQ(report_of("(\"a\", \"b\").and()").parts.at(0).tokens.ids.size(), 2u);
  EXPECT_EQ(report_of("(\"a\", \"b\").and()", Weighting::none).parts.at(0).tokens.ids.size(), 1u);
}

TEST(TokensReport, ShowsARefinersOnlyTokenizer) {
  const auto report = tokens_report({std::nullopt, Tokenizer::load(emoji() / "tokenizer_2")}, "owl", Weighting::none);
  ASSERT_EQ(report.parts.size(), 1u);
  EXPECT_EQ(report.parts.at(0).name, "tokenizer_2");
}

}  // namespace
}  // namespace negativa
