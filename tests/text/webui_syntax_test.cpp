#include "text/webui_syntax.h"

#include <gtest/gtest.h>

namespace negativa {

namespace {

using Texts = std::vector<std::string>;

Texts found(const std::string& prompt, const Texts& names = {}) {
  Texts texts;
  for (const auto& each : find_webui_syntax(prompt, names)) texts.push_back(each.text);
  return texts;
}

}  // namespace

TEST(WebuiSyntax, IsFoundInEverySpelling) {
  using Kind = WebuiSyntax::Kind;
  const std::tuple<const char*, Kind, const char*, const char*> spellings[] = {
      {"a (red hair:1.3), cat", Kind::weight, "(red hair:1.3)", "write (red hair)1.3"},
      {"(cat:2)", Kind::weight, "(cat:2)", "write (cat)2"},
      {"(cat :.8 ) x", Kind::weight, "(cat :.8 )", "write (cat ).8"},
      {"(score_9:1.1)", Kind::weight, "(score_9:1.1)", "write (score_9)1.1"},
      {"a ((big (dog:-0.5) here))", Kind::weight, "(dog:-0.5)", "write (dog)-0.5"},
      {"(caf\xc3\xa9:1.2)", Kind::weight, "(caf\xc3\xa9:1.2)", "write (caf\xc3\xa9)1.2"},
      {"((best quality)), cat", Kind::emphasis, "((best quality))", "write (best quality)1.21"},
      {"(((best quality)))", Kind::emphasis, "(((best quality)))", "write (best quality)1.331"},
      {"a [blurry] cat", Kind::brackets, "[blurry]", "write (blurry)0.9"},
      {"[cat:dog:0.5]", Kind::schedule, "[cat:dog:0.5]", "prompts that change on the way are not supported"},
      {"[dog:10]", Kind::schedule, "[dog:10]", "prompts that change on the way are not supported"},
      {"[dog::0.3]", Kind::schedule, "[dog::0.3]", "prompts that change on the way are not supported"},
      {"[cow|horse] in a field", Kind::schedule, "[cow|horse]", "prompts that change on the way are not supported"},
      {"cat <lora:style v2:0.8>", Kind::lora, "<lora:style v2:0.8>", "use --lora style v2.safetensors:0.8"},
      {"cat <lora:style>", Kind::lora, "<lora:style>", "use --lora style.safetensors"},
      {"<lyco:x:1>cat", Kind::lora, "<lyco:x:1>", "use --lora x.safetensors:1"},
      {"<hypernet:x:1> cat", Kind::hypernetwork, "<hypernet:x:1>", "hypernetworks are not supported"},
      {"a cat BREAK a dog", Kind::break_word, "BREAK", "write (\"…\", \"…\").and()"},
      {"a cat,\nBREAK\na dog", Kind::break_word, "BREAK", "write (\"…\", \"…\").and()"},
      {"a cat AND a dog :1.2", Kind::and_word, "AND", "write (\"…\", \"…\").and()"},
      {"cat, embedding:easy-neg_v1.2", Kind::embedding, "embedding:easy-neg_v1.2",
       "use --embedding easy-neg_v1.2.safetensors and write easy-neg_v1.2"},
  };
  for (const auto& [prompt, kind, text, advice] : spellings) {
    const auto all = find_webui_syntax(prompt);
    ASSERT_EQ(all.size(), 1u) << prompt;
    EXPECT_EQ(all[0].kind, kind) << prompt;
    EXPECT_EQ(all[0].text, text) << prompt;
    EXPECT_EQ(all[0].advice(), advice) << prompt;
  }
}

TEST(WebuiSyntax, IsNotSeenInOrdinaryText) {
  for (const char* prompt : {"",
                             "(a dog)",
                             "a (big) dog, (small) cat",
                             "ratio 1:3",
                             "(ratio 16:9)",
                             "(ratio 1:1.85)",
                             "(John 3:16)",
                             "(at 10:30)",
                             "(note: 5)",
                             "(cat, :3)",
                             "(>:3)",
                             "(year:1999)",
                             "(:)",
                             "()",
                             "(())",
                             "((a) or (b))",
                             "((a))1.3",
                             "((a))++",
                             "((a)1.2 b)",
                             "(a)1.3",
                             "(\"a\", \"b\").blend(1, 2)",
                             "(\"a\", \"b\").and(1, 0.5)",
                             "[",
                             "]",
                             "a [ b",
                             "a ] b [ c",
                             "[]",
                             "[1]",
                             "list[i]",
                             "[ 3, 4 ]",
                             "\\[blurry\\]",
                             "\\(cat:1.3\\)",
                             "\\((cat)\\)",
                             "(cat:1.3",
                             "cat:1.3)",
                             "cat:1.3",
                             "a < b > c",
                             "<cat-toy>",
                             "<lora>",
                             "<lora:>",
                             "<s0><s1>",
                             "breakfast",
                             "BREAKING news",
                             "a break",
                             "BREAK",
                             "DO NOT BREAK THE GLASS",
                             "a sign, COFFEE BREAK, neon",
                             "a sign \"BREAK THE ICE\" on a wall",
                             "OUTBREAK",
                             "_BREAK_",
                             "SALT AND PEPPER",
                             "a sandwich",
                             "AND",
                             "AND gates",
                             "cats and dogs",
                             "R AND D",
                             "embedding: a technique",
                             "(embedding:1.2 of wood",
                             "word embeddings",
                             "embedding"})
    EXPECT_EQ(found(prompt), Texts()) << prompt;
}

TEST(WebuiSyntax, NamesOfEmbeddingsAreNone) {
  EXPECT_EQ(found("a [V] dog, [blurry]", {"[V]"}), Texts({"[blurry]"}));
  EXPECT_EQ(found("a [v] dog", {"[V]"}), Texts());
  EXPECT_EQ(found("(bad hands:1.3)", {"bad hands"}), Texts({"(bad hands:1.3)"}));
}

TEST(WebuiSyntax, IsNamedInOneLineForAllTextsOfARun) {
  const Texts prompts = {"(a:1.3), (b:1.4) BREAK c", "plain", "(c:1.1) <lora:n:1>"};
  EXPECT_EQ(webui_notice(prompts, true),
            "the webui's syntax is not read here, these are plain words: \"(a:1.3)\" and 2 more (write (a)1.3), \"<lora:n:1>\" "
            "(use --lora n.safetensors:1), "
            "\"BREAK\" (write (\"…\", \"…\").and())");
  EXPECT_EQ(webui_notice(prompts, false),
            "the webui's syntax is not read here, these are plain words: \"(a:1.3)\" and 2 more, \"<lora:n:1>\", \"BREAK\"");
  EXPECT_EQ(webui_notice(Texts{"(a dog)", ""}, true), "");
  const auto line = webui_notice(Texts{"(a\n" + std::string(57, 'b') + "\xc3\xa9 and much more:1.5)"}, false);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_NE(line.find("bbb...\""), std::string::npos) << line;
}

}  // namespace negativa
