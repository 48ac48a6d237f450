#include "text/tokenizer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/json.h"
#include "text/golden.h"

namespace negativa {
namespace {

using Ids = std::vector<int64_t>;

Tokenizer clip(const std::string& part) { return Tokenizer::load(source_path("models/clip-tokenizer/" + part)); }

// A tokenizer folder that goes with the test.
struct Folder {
  std::filesystem::path path;
  Folder() : path(std::filesystem::temp_directory_path() / fmt::format("negativa-tokenizer-{}", getpid())) {
    std::filesystem::remove_all(path);
    std::filesystem::create_directories(path);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path / name) << text; }
};

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Tokenizer, EqualsTransformersOnGoldenTexts) {
  const auto golden = read_json_file(golden_path("tokens.json"));
  const std::vector<std::string> texts = golden["texts"], names = golden["added_names"], added_texts = golden["added_texts"];
  ASSERT_GE(texts.size(), 150u);
  for (const auto& [folder, expected] : golden["ids"].items()) {
    auto tokenizer = Tokenizer::load(source_path("models/" + folder));
    for (size_t i = 0; i < texts.size(); ++i)
      EXPECT_EQ(tokenizer.encode(texts[i]), expected[i].get<Ids>()) << folder << ": " << texts[i];
    for (const auto& name : names) tokenizer.add_token(name);
    const auto& added = golden["added_ids"][folder];
    for (size_t i = 0; i < added_texts.size(); ++i)
      EXPECT_EQ(tokenizer.encode(added_texts[i]), added[i].get<Ids>()) << folder << ": " << added_texts[i];
  }
}

TEST(Tokenizer, GivesTheIdsOfTheReferencePage) {  // sdxl.md 1.4, 1.6; pitfalls 1, 2, 4, 5
  const auto first = clip("tokenizer"), second = clip("tokenizer_2");
  const std::pair<const char*, Ids> cases[] = {
      {"wrong", {3669}},
      {"a photo of a cat", {320, 1125, 539, 320, 2368}},
      {"a photo of an astronaut riding a horse on mars", {320, 1125, 539, 550, 18376, 6765, 320, 4558, 525, 7496}},
      {"low quality, bad hands", {1042, 3027, 267, 2103, 3500}},
      {"jpeg artifacts, missing or extra fingers", {73, 11207, 30249, 267, 3423, 541, 4231, 9690}},
      {"(low quality)++++", {263, 1042, 3027, 8, 10, 35986}},
      {"don't 3.14 HELLO", {847, 713, 274, 269, 272, 275, 3306}},
      {"DON'T", {847, 713}},
      {"naïve café", {1097, 35689, 563, 15304}},
      {"e\u0301", {4166}},
      {"東京", {48338, 21078, 361}},
      {"🙂", {14860}},
      {"...", {678}},
      {". . .", {269, 269, 269}},
      {")++,", {8, 10, 35885}},
      {"sks dog", {48136, 1929}},
      {"İstanbul ẞ", {328, 16384, 11231, 127, 509}},
      {"x\u00a0y\u2003z", {343, 344, 345}},
      {"\u200bzero", {9844, 5848}},
      {"<|endoftext|> inside", {49407, 2912}},
  };
  for (const auto& [text, ids] : cases) {
    EXPECT_EQ(first.encode(text), ids) << text;
    EXPECT_EQ(second.encode(text), ids) << text;
  }
  EXPECT_EQ(first.encode("!"), Ids({256}));
  EXPECT_EQ(second.encode("!"), Ids({0}));  // the pad token, found in the raw text
  EXPECT_EQ(second.encode("a!b"), Ids({320, 0, 321}));
}

TEST(Tokenizer, PadsEachTokenizerWithItsOwnPad) {  // pitfall 6
  for (const auto& [part, pad] : {std::pair{"tokenizer", 49407}, {"tokenizer_2", 0}}) {
    Ids expected(77, pad);
    expected[0] = 49406;
    expected[1] = 49407;
    EXPECT_EQ(clip(part).tokenize("").ids, std::vector<Ids>{expected});
  }
}

TEST(Tokenizer, CutsAtTheEndAndKeepsEos) {  // pitfall 7
  const auto tokenizer = clip("tokenizer");
  std::string text;
  for (int i = 0; i < 99; ++i) text += "cat ";
  const auto tokens = tokenizer.tokenize(text + "🙂 dog");
  const auto& row = tokens.ids.at(0);
  ASSERT_EQ(row.size(), 77u);
  EXPECT_EQ(row[0], 49406);
  EXPECT_EQ(row[75], 2368);
  EXPECT_EQ(row[76], 49407);
  EXPECT_EQ(tokens.cut, 26);
  EXPECT_TRUE(tokens.cut_text.ends_with("cat 🙂 dog")) << tokens.cut_text;
}

TEST(Tokenizer, MatchesTheLongestAddedNameFirst) {  // pitfall 8
  auto tokenizer = clip("tokenizer");
  EXPECT_EQ(tokenizer.add_token("<s1>"), 49408);
  EXPECT_EQ(tokenizer.add_token("<s10>"), 49409);
  EXPECT_EQ(tokenizer.encode("a<s10>b"), Ids({320, 49409, 321}));
  EXPECT_EQ(tokenizer.piece(49409), "<s10>");
}

TEST(Tokenizer, MatchesAddedNamesInAnyCaseAndInsideWords) {  // sdxl.md 1.6
  auto tokenizer = clip("tokenizer");
  for (const char* name : {"<Cat-Toy>", "<b>", "<c>", "ohwxyz", "Foo"}) tokenizer.add_token(name);
  EXPECT_EQ(tokenizer.encode("a <cat-toy> b"), Ids({320, 49408, 321}));
  EXPECT_EQ(tokenizer.encode("OHWXYZ"), Ids({49411}));
  EXPECT_EQ(tokenizer.encode("xohwxyzx"), Ids({343, 49411, 343}));
  EXPECT_EQ(tokenizer.encode("food"), Ids({49412, 323}));
}

TEST(Tokenizer,
     MatchesAddedNamesInEitherFormOfUnicode) {  // a stem that macOS stores is decomposed, a prompt that is typed is not
  for (const auto& [name, text] : {std::pair("caf\xc3\xa9", "cafe\xcc\x81"), std::pair("cafe\xcc\x81", "caf\xc3\xa9")}) {
    auto tokenizer = clip("tokenizer");
    tokenizer.add_token(name);
    EXPECT_EQ(tokenizer.encode(text), Ids({49408}));
    EXPECT_THROW(tokenizer.add_token(text), Error);
  }
}

TEST(Tokenizer, ExpandsANameOfSeveralVectors) {
  auto tokenizer = clip("tokenizer");
  EXPECT_EQ(tokenizer.add_token("<toy>", 3), 49408);
  EXPECT_EQ(tokenizer.encode("a <TOY> b"), Ids({320, 49408, 49409, 49410, 321}));
  EXPECT_EQ(tokenizer.encode("<toy>_1"), Ids({49409}));  // one that is written out is not expanded again
  EXPECT_THROW(tokenizer.add_token("<Toy>"), Error);
  EXPECT_THROW(tokenizer.add_token("cat</w>"), Error);
  EXPECT_THROW(tokenizer.add_token("  "), Error);
  EXPECT_EQ(clip("tokenizer").size(), 49408);
}

TEST(Tokenizer, ASecondNameStandsForTheSameIds) {
  auto tokenizer = clip("tokenizer");
  tokenizer.add_token("my-toy", 2);
  tokenizer.add_name("<toy>", "my-toy");
  EXPECT_EQ(tokenizer.size(), 49410);
  EXPECT_EQ(tokenizer.encode("a <TOY> b"), tokenizer.encode("a my-toy b"));
  EXPECT_EQ(tokenizer.encode("<toy>"), Ids({49408, 49409}));
  EXPECT_THROW(tokenizer.add_name("<Toy>", "my-toy"), Error);
  EXPECT_THROW(tokenizer.add_name("my-toy", "my-toy"), Error);
  EXPECT_THROW(tokenizer.add_name("<other>", "nothing"), Error);
}

TEST(Tokenizer, ReadsAFolderOfTransformersFive) {  // pitfall 62: tokenizer.json alone, both spellings of merges
  const auto source = source_path("models/emoji-xl/tokenizer_2");
  const auto expected = Tokenizer::load(source);
  for (const bool pairs : {true, false}) {
    Json merges = Json::array();
    for (const auto& [left, right] : read_tokenizer_files(source).merges)
      merges.push_back(pairs ? Json::array({left, right}) : Json(left + " " + right));
    const Json file = {
        {"model",
         {{"type", "BPE"}, {"end_of_word_suffix", "</w>"}, {"vocab", read_json_file(source / "vocab.json")}, {"merges", merges}}},
        {"added_tokens",
         {{{"id", 0}, {"content", "!"}, {"normalized", false}, {"special", true}},
          {{"id", 1755}, {"content", "<s1>"}, {"normalized", true}, {"special", false}}}}};
    Folder folder;
    folder.write("tokenizer.json", file.dump());
    folder.write("tokenizer_config.json", R"({"pad_token": "!", "model_max_length": 77})");
    const auto tokenizer = Tokenizer::load(folder.path);
    for (const char* text : {"A red-apple! don't", "!"}) EXPECT_EQ(tokenizer.tokenize(text).ids, expected.tokenize(text).ids);
    EXPECT_EQ(tokenizer.encode("<S1>"), Ids({1755}));
  }
}

TEST(Tokenizer, FindsNormalizedSpecialTokensInAnyCase) {  // published files of transformers 4 say normalized: true
  const auto source = source_path("models/emoji-xl/tokenizer");
  Folder folder;
  for (const char* name : {"vocab.json", "merges.txt"}) folder.write(name, read(source / name));
  folder.write("special_tokens_map.json",
               R"({"eos_token": {"content": "<|endoftext|>", "normalized": true, "lstrip": false}, "pad_token": "!"})");
  EXPECT_EQ(Tokenizer::load(folder.path).encode("!a<|ENDOFTEXT|>b"), Ids({0, 320, 1754, 321}));
}

TEST(Tokenizer, SaysWhatIsBrokenInOneLine) {
  const auto source = source_path("models/emoji-xl/tokenizer");
  const std::string vocabulary = read(source / "vocab.json"), merges = read(source / "merges.txt");
  const std::tuple<std::string, std::string, std::string, std::string> cases[] = {
      {"{", merges, "{}", "vocab.json"},
      {"[]", merges, "{}", "expected a JSON object"},
      {R"({"a": "b"})", merges, "{}", "expected an id"},
      {R"({"a": 1, "b": 1})", merges, "{}", "expected each of 0 to 1 once"},
      {vocabulary, merges + "zq qz\n", "{}", "is not made of entries of the vocabulary"},
      {vocabulary, merges + "a b c\n", "{}", "two tokens with a space"},
      {vocabulary, merges, R"({"pad_token": "<pad>"})", "\"<pad>\" is not in the vocabulary"},
      {vocabulary, merges, R"({"pad_token": {"content": "!", "lstrip": true}})", "lstrip"},
      {vocabulary, merges, R"({"model_max_length": 1})", "model_max_length"},
      {vocabulary, merges, R"({"added_tokens_decoder": {"x": {"content": "!"}}})", "expected a number"},
      {vocabulary, merges, R"({"added_tokens_decoder": {"3": {"content": "!"}}})", "has id 3, expected 0"},
  };
  for (const auto& [vocab, merge, config, expected] : cases) {
    Folder folder;
    folder.write("vocab.json", vocab);
    folder.write("merges.txt", merge);
    folder.write("tokenizer_config.json", config);
    try {
      Tokenizer::load(folder.path);
      ADD_FAILURE() << expected;
    } catch (const Error& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find(expected), std::string::npos) << message;
      EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    }
  }
  EXPECT_THROW(Tokenizer::load("/nowhere"), Error);
  EXPECT_THROW(clip("tokenizer").encode("\xff"), Error);
}

TEST(Tokenizer, DecodesHalfACharacterToUtf8) {
  const auto tokenizer = clip("tokenizer");
  EXPECT_EQ(tokenizer.decode({508}), "\uFFFD");  // the last byte of 語
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("Naïve  Café!")), "naïve café !");
}

TEST(BytePairEncoding, MergesARunOfOneLetterLikeALongWord) {  // pitfall 3; n log n keeps it fast
  const auto tokenizer = clip("tokenizer");
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(std::string(200000, 'a'))), std::string(200000, 'a'));
}

}  // namespace
}  // namespace negativa
