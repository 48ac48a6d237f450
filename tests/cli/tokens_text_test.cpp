#include "tokens_text.h"

#include "program.h"

namespace negativa::cli {

namespace {

TokensReport report_of(const std::string& prompt) {
  return tokens_report(load_tokenizers(test::bundled("../clip-tokenizer")), prompt, Weighting::compel);
}

}  // namespace

TEST(TokensText, GivesTheJsonOfTheCommandLine) {
  const auto json = parse_json(json_of(report_of("a (cat)1.5!")), "report");
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

TEST(TokensText, ShowsATableWithWhatWasCut) {
  std::string prompt = "(wrong)++";
  for (int i = 0; i < 75; ++i) prompt += " cat";
  const auto table = text_of(report_of(prompt));
  EXPECT_NE(table.find("  1    3669     1.21  wrong</w>"), std::string::npos) << table;
  EXPECT_NE(table.find("1 tokens did not fit"), std::string::npos);
  EXPECT_NE(table.find("cut: cat"), std::string::npos);
  EXPECT_NE(text_of(report_of("wrong")).find("and 74 pads (0)"), std::string::npos);
}

}  // namespace negativa::cli
