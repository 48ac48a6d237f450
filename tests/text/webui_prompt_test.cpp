#include "text/webui_prompt.h"

#include <gtest/gtest.h>

#include "text/prompt.h"

namespace negativa {

namespace {

struct Case {
  const char *given, *expected;
};

// What is not honoured, without why.
std::string left_out(const TranslatedPrompt& prompt) {
  std::string texts;
  for (const auto& line : prompt.not_honoured) texts += line.substr(8, line.rfind(" (") - 8) + "; ";
  return texts;
}

}  // namespace

TEST(WebuiPrompts, AreWrittenInCompelsGrammar) {
  for (const auto& [given, expected] : std::initializer_list<Case>{
           {"a big lion, red", "a big lion, red"},
           {"", ""},
           {"(red:1.3) hair", "(red)1.3 hair"},
           {"a (red hair:1.3), cat", "a (red hair)1.3, cat"},
           {"a (cat :.8 ) x", "a (cat)0.8 x"},
           {"(lion) cat", "(lion)1.1 cat"},
           {"((best quality)), cat", "(best quality)1.21, cat"},
           {"[blurry] cat", "(blurry)0.909091 cat"},
           {"(a [b] c:1.2)", "(a)1.2 (b)1.09091 (c)1.2"},
           {"(a (b:1.5) c:2)", "(a)2 (b)3 (c)2"},
           {"big(red:1.2)dog", "big (red)1.2 dog"},
           {"(red:1.2)5 dogs", "(red)1.2 5 dogs"},
           {"(red:1.2).", "(red)1.2 ."},
           {"a \\(series\\) cat", "a \\(series\\) cat"},
           {"(fate \\(series\\):1.2) cat", "(fate \\(series\\))1.2 cat"},
           {"(unclosed cat", "(unclosed cat)1.1"},
           {"(a, (b:1.2), c", "(a,)1.1 (b)1.32 (, c)1.1"},
           {"(16:9)", "(16)9"},  // there too it is a weight
           {"note: 5) cat", "note: 5) cat"},
           {"(note: this)", "(note: this)1.1"},
           {"a cat BREAK a dog", "(\"a cat\", \"a dog\").and()"},
           {"(a:1.2) cat\nBREAK\n[dog]", "(\"(a)1.2 cat\", \"(dog)0.909091\").and()"},
           {"BREAKFAST, breakdown", "BREAKFAST, breakdown"},
           {"well-lit, sci-fi", "well-lit, sci-fi"},
           {"caf\xc3\xa9 (caf\xc3\xa9:1.2)", "caf\xc3\xa9 (caf\xc3\xa9)1.2"},
       }) {
    const auto got = translate_prompt(given, PromptDialect::webui);
    EXPECT_EQ(got.weighted.value_or("(none)"), expected) << given;
    EXPECT_EQ(left_out(got), "") << given;
  }
}

TEST(WebuiPrompts, WhoseSignsWouldBeWeightsHereKeepTheirWords) {
  for (const char* given : {"C++ code", "rating+", "a-, b", "\"quoted\" text", "(note) C++", "one.two++", "a.swap(b)", "x\\"}) {
    const auto got = translate_prompt(given, PromptDialect::webui);
    if (!got.weighted) continue;  // --weighting none says it
    const Prompt read = parse_prompt(*got.weighted);
    for (const auto& fragment : read.parts[0].texts[0])
      EXPECT_TRUE(fragment.weight == 1 || std::string_view(given).starts_with("(note)")) << given << " -> " << *got.weighted;
  }
}

TEST(WebuiPrompts, SignsAtAWordsEndArePartedFromIt) {  // which is the same to the tokenizer
  EXPECT_EQ(translate_prompt("C++ code", PromptDialect::webui).weighted, "C ++ code");
  EXPECT_EQ(translate_prompt("(C++:1.2) code", PromptDialect::webui).weighted.value_or("(none)"), "(none)");
}

TEST(WebuiPrompts, ThatChangeOnTheWayKeepTheirFirstText) {
  for (const auto& [given, expected] : std::initializer_list<Case>{{"a [cat:dog:0.5] here", "a cat here"},
                                                                   {"a [dog:10]", "a dog"},
                                                                   {"a [dog::0.3]", "a dog"},
                                                                   {"[cow|horse] field", "cow field"},
                                                                   {"[[a:b:0.2]:c:0.5]", "a"},
                                                                   {"[(red:1.2):blue:5] x", "(red)1.2 x"},
                                                                   {"a cat AND a dog :1.2", "a cat"}}) {
    const auto got = translate_prompt(given, PromptDialect::webui);
    EXPECT_EQ(got.weighted.value_or("(none)"), expected) << given;
    EXPECT_FALSE(got.not_honoured.empty()) << given;
  }
  EXPECT_EQ(left_out(translate_prompt("x <hypernet:y:0.5> z <b>", PromptDialect::webui)), "<hypernet:y:0.5>; ");
}

TEST(ComfyPrompts, AreWrittenInCompelsGrammar) {
  for (const auto& [given, expected] : std::initializer_list<Case>{
           {"a (red:1.2) fox", "a (red)1.2 fox"},
           {"(a (b:1.5) c:2)", "(a)2 (b)1.5 (c)2"},  // an inner weight stands alone
           {"((lion))", "(lion)1.21"},
           {"[blurry] cat", "[blurry] cat"},  // words
           {"a BREAK b", "a BREAK b"},
           {"(unclosed cat", "(unclosed cat"},
           {"a \\(series\\)", "a \\(series\\)"},
       }) {
    const auto got = translate_prompt(given, PromptDialect::comfy);
    EXPECT_EQ(got.weighted.value_or("(none)"), expected) << given;
  }
  const auto got = translate_prompt("bad, embedding:folder/easy-neg.pt, (embedding:hands:1.2).", PromptDialect::comfy);
  EXPECT_EQ(got.embeddings, (std::vector<std::string>{"easy-neg", "hands"}));
  EXPECT_EQ(got.weighted, "bad, easy-neg, (hands)1.2 .");
}

TEST(OtherPrompts, OfNoGrammarAreTakenAsTheyStand) {
  EXPECT_EQ(translate_prompt("(a:1.2) [b]", PromptDialect::plain).plain, "(a:1.2) [b]");
  EXPECT_EQ(translate_prompt("(a)1.2", PromptDialect::compel).weighted, "(a)1.2");
}

TEST(OtherPrompts, OfAnyBytesEndWithoutAFault) {
  std::string deep(3000, '('), square(3000, '[');
  for (const std::string& given : {deep, square, deep + "a" + std::string(3000, ')'), square + "a:b:0.5" + std::string(3000, ']'),
                                   std::string("\xff(\xfe:1.2)"), std::string("(a:1.2"), std::string(":1.2)"), std::string("\\"),
                                   std::string("(a:99999999999999999999)"), std::string("BREAK"), std::string("AND"),
                                   std::string("[|]"), std::string("[::1]"), std::string("()"), std::string("(:1)")})
    for (const auto dialect : {PromptDialect::webui, PromptDialect::comfy, PromptDialect::plain, PromptDialect::compel})
      translate_prompt(given, dialect);
}

}  // namespace negativa
