#include "text/tokens_report.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/temporary_folder.h"
#include "io/safetensors.h"
#include "text/emoji.h"

namespace negativa {
namespace {

TokensReport report_of(const std::string& prompt, Weighting weighting = Weighting::compel) {
  return tokens_report(load_tokenizers(source_path("models/clip-tokenizer")), prompt, weighting);
}

TEST(TokensReport, GivesTheJsonOfTheCommandLine) {
  const auto json = parse_json(tokens_json(report_of("a (cat)1.5!")), "report");
  EXPECT_EQ(json.size(), 3u);
  for (const char* part : {"tokenizer", "tokenizer_2"}) {
    ASSERT_EQ(json[part]["ids"].size(), 1u);
    for (const char* key : {"ids", "weights", "pieces"}) EXPECT_EQ(json[part][key][0].size(), 77u) << key;
    EXPECT_EQ(json[part]["ids"][0][2], 2368);
    EXPECT_EQ(json[part]["weights"][0][2], 1.5);
    EXPECT_EQ(json[part]["pieces"][0][2], "cat</w>");
  }
  EXPECT_EQ(json["tokenizer"]["ids"][0][3], 256);
  EXPECT_EQ(json["tokenizer_2"]["ids"][0][3], 0);
  EXPECT_EQ(json["cut"], "");
}

TEST(TokensReport, ShowsATableWithWhatWasCut) {
  std::string prompt = "(wrong)++";
  for (int i = 0; i < 75; ++i) prompt += " cat";
  const auto table = tokens_table(report_of(prompt));
  EXPECT_NE(table.find("  1    3669     1.21  wrong</w>"), std::string::npos) << table;
  EXPECT_NE(table.find("1 tokens did not fit"), std::string::npos);
  EXPECT_NE(table.find("cut: cat"), std::string::npos);
  EXPECT_NE(tokens_table(report_of("wrong")).find("and 74 pads (0)"), std::string::npos);
}

TEST(TokensReport, IsThatOfTheTokenizersASingleFileDrawsWith) {
  const TemporaryFolder folder;
  const std::string sdxl = "model.diffusion_model.label_emb.0.0.weight", first = "conditioner.embedders.0.transformer.x",
                    second = "conditioner.embedders.1.model.x";
  write_safetensors(folder / "base.safetensors", {{sdxl, at::zeros({1})}, {first, at::zeros({1})}, {second, at::zeros({1})}});
  write_safetensors(folder / "refiner.safetensors",
                    {{sdxl, at::zeros({1})}, {"conditioner.embedders.0.model.x", at::zeros({1})}});
  const auto of_file = [&](const char* name) {
    return tokens_json(tokens_report(load_tokenizers(folder / name), "a (cat)1.5!", Weighting::compel));
  };
  EXPECT_EQ(of_file("base.safetensors"), tokens_json(report_of("a (cat)1.5!")));
  const auto refiner = parse_json(of_file("refiner.safetensors"), "report");
  EXPECT_FALSE(refiner.contains("tokenizer"));
  EXPECT_EQ(refiner["tokenizer_2"]["pieces"][0][2], "cat</w>");
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
