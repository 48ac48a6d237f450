#include "text/prompt.h"

#include <gtest/gtest.h>

#include "base/comma_locale.h"
#include "base/json.h"
#include "text/golden.h"

namespace negativa {
namespace {

std::string shown(const Prompt& prompt) {
  std::string text;
  for (const auto& part : prompt.parts) {
    text += fmt::format("part {:.17g} {}:", part.weight, part.normalize_blend);
    for (size_t i = 0; i < part.texts.size(); ++i) {
      text += fmt::format(" <{:.17g}>", part.blend_weights.at(i));
      for (const auto& fragment : part.texts[i]) text += fmt::format(" [{}]{:.17g}", fragment.text, fragment.weight);
    }
    text += '\n';
  }
  return text;
}

std::string shown(const Json& parts) {
  Prompt prompt;
  for (const auto& each : parts) {
    PromptPart part;
    part.weight = each["weight"];
    part.normalize_blend = each.value("normalize_blend", true);
    part.blend_weights = each.value("blend_weights", std::vector<double>{1.0});
    for (const auto& text : each["texts"]) {
      Fragments fragments;
      for (const auto& fragment : text) fragments.push_back({fragment[0], fragment[1]});
      part.texts.push_back(fragments);
    }
    prompt.parts.push_back(part);
  }
  return shown(prompt);
}

Fragments fragments_of(const std::string& text) { return parse_prompt(text).parts.at(0).texts.at(0); }

TEST(PromptGrammar, EqualsCompelOnGoldenPrompts) {
  const auto cases = read_json_file(golden_path("prompts.json"));
  ASSERT_GE(cases.size(), 60u);
  for (const auto& each : cases) {
    const std::string prompt = each["prompt"];
    if (each.contains("error")) {
      EXPECT_THROW(parse_prompt(prompt), Error) << prompt;
      continue;
    }
    try {
      EXPECT_EQ(shown(parse_prompt(prompt)), shown(each["parts"])) << prompt;
    } catch (const Error& error) {
      ADD_FAILURE() << prompt << ": " << error.what();
    }
  }
}

TEST(PromptGrammar, ReadsTheVectorsOfTheReferencePage) {  // sdxl.md 7.1
  const auto fire = fragments_of("fire (flames (trees)1.5)2.0");
  ASSERT_EQ(fire.size(), 3u);
  EXPECT_EQ(fire[2].text, "trees");
  EXPECT_DOUBLE_EQ(fire[2].weight, 3.0);
  const auto flames = fragments_of("fire (flames, trees)+");
  ASSERT_EQ(flames.size(), 2u);
  EXPECT_EQ(flames[1].text, "flames , trees");
  EXPECT_DOUBLE_EQ(flames[1].weight, 1.1);
  const auto low = fragments_of("(low quality)++++");
  ASSERT_EQ(low.size(), 1u);
  EXPECT_EQ(low[0].text, "low quality");
  EXPECT_NEAR(low[0].weight, 1.4641, 1e-12);
}

TEST(PromptGrammar, RefusesSwapAndLoraWithAWayOut) {
  for (const auto& [prompt, way_out] :
       {std::pair{"a cat.swap(dog)", "write the word"}, {"withLora(wrong, 0.5) cat", "--lora wrong:0.5"}}) {
    try {
      parse_prompt(prompt);
      ADD_FAILURE() << prompt;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::input);
      EXPECT_NE(std::string(error.what()).find(way_out), std::string::npos) << error.what();
    }
  }
  EXPECT_EQ(fragments_of("(a.swap(b c").at(0).text, "(a.swap(b c");  // unbalanced: ordinary words
}

TEST(PromptGrammar, KeepsWhatStandsBehindAConjunctionForANotice) {
  EXPECT_EQ(parse_prompt("(\"a\", \"b\").and() more words").ignored, "more words");
  EXPECT_EQ(parse_prompt("(\"a\", \"b\").and()").ignored, "");
  EXPECT_THROW(parse_prompt("(\"a\", \"b\").blend(1,1) more"), Error);
}

TEST(PromptGrammar, ChecksBlendWeights) {
  EXPECT_THROW(parse_prompt("(\"a\", \"b\").blend(1)"), Error);
  EXPECT_THROW(parse_prompt("(\"a\", \"b\").blend(1, x)"), Error);
  EXPECT_THROW(parse_prompt("(\"a\", \"b\").blend(1, -1)"), Error);
  EXPECT_THROW(parse_prompt("(\"a\", ()).blend(1, 1)"), Error);
}

TEST(PromptGrammar, EndsInOneLineOrWordsOnHostileInput) {
  EXPECT_THROW(parse_prompt(std::string(5000, '(') + "a" + std::string(5000, ')')), Error);
  std::string swaps;
  for (int i = 0; i < 60; ++i) swaps += "(a.swap((";
  EXPECT_NO_THROW(parse_prompt(swaps));
  EXPECT_THROW(parse_prompt("\xff\xfe"), Error);
  EXPECT_EQ(fragments_of("a\vb\fc").at(0).text, "a b c");
}

TEST(PromptGrammarInCommaLocales, ReadsTheSameWeights) {
  const auto read = [] {
    std::string all;
    for (const char* text : {"(a)1.5 b", "\"a\".5", "(a)+1.25", "(a).attend(0.75)", "(\"a\", \"b\").blend(0.25, 1.5)",
                             "(\"a\", \"b\").and(1, 0.5)", "(a)1,5"})
      all += shown(parse_prompt(text));
    return all;
  };
  const auto plain = read();
  const test::CommaLocale comma;
  EXPECT_EQ(read(), plain);
  if (!comma.of_c_library()) GTEST_SKIP() << test::no_comma_locale;
}

TEST(PromptGrammar, RefusesWeightsThatNoNumberHolds) {
  EXPECT_TRUE(
      contains(error_of(ErrorKind::input, [] { parse_prompt("(a)" + std::string(400, '9')); }), "[prompt] got the weight 999"));
}

TEST(PromptGrammar, GivesTheWordsWithoutSyntax) {
  EXPECT_EQ(clean_text(parse_prompt("(low quality)++++, (bad hands)0.5")), "low quality , bad hands");
  EXPECT_EQ(clean_text(parse_prompt("(\"a cat\", \"(dog)+\").and()")), "a cat dog");
}

}  // namespace
}  // namespace negativa
