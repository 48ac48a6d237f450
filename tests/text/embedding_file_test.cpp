#include "text/embedding_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "text/emoji.h"

namespace negativa {
namespace {

class EmbeddingFile : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder); }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::filesystem::path written(const std::map<std::string, Tensor>& tensors) const {
    write_safetensors(folder / "toy.safetensors", tensors);
    return folder / "toy.safetensors";
  }
  Embedding only(const std::filesystem::path& path, const std::optional<std::string>& name,
                 const EmbeddingWidths& expected) const {
    auto words = load_embedding(path, name, expected).words;
    EXPECT_EQ(words.size(), 1u);
    return words.front();
  }
  // "" where it is read, the message otherwise.
  std::string refusal(const std::map<std::string, Tensor>& tensors, const EmbeddingWidths& expected) const {
    try {
      load_embedding(written(tensors), {}, expected);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }

  const std::filesystem::path folder = std::filesystem::temp_directory_path() / fmt::format("negativa-embedding-{}", getpid());
  const EmbeddingWidths widths{64, 96};
};

TEST_F(EmbeddingFile, ReadsBothEncodersAndIsNamedByItsStem) {
  const auto embedding = only(written({{"clip_l", at::rand({2, 64})}, {"clip_g", at::rand({2, 96}).to(at::kHalf)}}), {}, widths);
  EXPECT_EQ(embedding.name, "toy");
  EXPECT_EQ(shape_of(embedding.clip_l), (Shape{2, 64}));
  EXPECT_EQ(embedding.clip_g.scalar_type(), at::kFloat);
  const auto refiner = only(folder / "toy.safetensors", "<x>", {std::nullopt, 96});
  EXPECT_EQ(refiner.name, "<x>");
  EXPECT_FALSE(refiner.clip_l.defined());
}

TEST_F(EmbeddingFile, GivesASingleTensorToTheEncoderOfItsWidth) {
  const auto first = only(written({{"<cat-toy>", at::rand({64})}}), {}, widths);
  EXPECT_EQ(shape_of(first.clip_l), (Shape{1, 64}));
  EXPECT_FALSE(first.clip_g.defined());
  EXPECT_TRUE(only(written({{"emb_params", at::rand({3, 96})}}), {}, widths).clip_g.defined());
}

TEST_F(EmbeddingFile, KeepsTheTokenThatItStoresBesideItsStem) {
  const Tensor l = at::rand({1, 64}), g = at::rand({1, 96});
  const auto also = [&](const std::map<std::string, Tensor>& tensors, const Metadata& metadata = {},
                        const std::optional<std::string>& name = {}) {
    write_safetensors(folder / "toy.safetensors", tensors, metadata);
    const auto embedding = only(folder / "toy.safetensors", name, widths);
    EXPECT_EQ(embedding.name, name.value_or("toy"));
    return embedding.also;
  };
  EXPECT_EQ(also({{"<cat-toy>", l}}), "<cat-toy>");     // diffusers' learned_embeds.safetensors
  EXPECT_EQ(also({{"<cat-toy>", l}}, {}, "mine"), "");  // =NAME stands alone
  EXPECT_EQ(also({{"Toy", l}}), "");
  EXPECT_EQ(also({{"emb_params", l}}), "");  // webui's
  EXPECT_EQ(also({{"clip_l", l}, {"clip_g", g}}), "");
  EXPECT_EQ(also({{"clip_g", g}}), "");
  EXPECT_EQ(also({{"clip_l", l}, {"clip_g", g}}, {{"modelspec.trigger_phrase", "sonk hedgehog"}}), "sonk hedgehog");
  EXPECT_EQ(also({{"clip_l", l}, {"clip_g", g}}, {{"modelspec.trigger_phrase", "toy"}}), "");
  EXPECT_EQ(also({{"clip_l", l}, {"clip_g", g}}, {{"modelspec.trigger_phrase", "one, two"}}), "");  // no single name
}

TEST_F(EmbeddingFile, AFreeNameTakesNoWordAway) {
  const auto tokenizer = Tokenizer::load(source_path("models/clip-tokenizer/tokenizer"));
  for (const char* free : {"<cat-toy>", "sonk hedgehog", "caf\xc3\xa9-look"}) EXPECT_TRUE(is_free_name(tokenizer, free)) << free;
  for (const char* taken : {"lion", "a", "<|endoftext|>", " "}) EXPECT_FALSE(is_free_name(tokenizer, taken)) << taken;
}

TEST_F(EmbeddingFile, SaysWhatItCannotUse) {
  EXPECT_NE(refusal({{"clip_l", at::rand({2, 32})}}, widths).find("32 wide, expected 64"), std::string::npos);
  EXPECT_NE(refusal({{"x", at::rand({2, 32})}}, widths).find("expected 64 or 96"), std::string::npos);
  EXPECT_NE(refusal({{"x", at::rand({2, 64})}, {"a,b", at::rand({2, 64})}}, widths).find("--lora"), std::string::npos);
  EXPECT_NE(refusal({{"clip_l", at::rand({2, 2, 32})}}, widths).find("[2, 2, 32]"), std::string::npos);
  EXPECT_NE(refusal({{"x", at::rand({64})}}, {64, 64}).find("clip_l or clip_g"), std::string::npos);
  EXPECT_NE(refusal({{"clip_l", at::rand({2, 64})}, {"clip_l_out", at::rand({2, 64})}}, widths)
                .find("holds clip_l_out beside clip_l and clip_g, an output embedding"),
            std::string::npos);
  for (const auto& [key, what] : {std::pair{"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight", "a LoRA goes to --lora"},
                                  {"unet.x.lora_A.weight", "a LoRA goes to --lora"},
                                  {"unet.x.attn1.processor.to_q_lora.down.weight", "a LoRA goes to --lora"},
                                  {"bundle_emb.frog.clip_l", "bundled in it"},
                                  {"lora_unet_x.hada_w1_a", "LyCORIS"},
                                  {"model.diffusion_model.out.2.bias", "a model goes to -m"},
                                  {"decoder.conv_in.bias", "a VAE goes to --vae"}})
    EXPECT_NE(refusal({{key, at::rand({2, 64})}, {"other", at::rand({2, 64})}}, widths).find(what), std::string::npos) << key;
}

TEST_F(EmbeddingFile, ReadsDiffusersPairFromEitherFileAndFromTheFolder) {
  const auto l = at::rand({2, 64}), g = at::rand({2, 96});
  for (const char* extension : {".safetensors"}) {
    write_safetensors(folder / (std::string("learned_embeds") + extension), {{"<toy>", l}});
    write_safetensors(folder / (std::string("learned_embeds_2") + extension), {{"<toy>", g}});
  }
  for (const auto& path : {folder / "learned_embeds.safetensors", folder, folder / ""}) {
    const auto word = only(path, {}, widths);
    EXPECT_EQ(word.also, "<toy>") << path;
    EXPECT_EQ(word.name, path.extension() == ".safetensors" ? "learned_embeds" : folder.filename().string());
    EXPECT_TRUE(at::equal(word.clip_l, l) && at::equal(word.clip_g, g)) << path;
  }
  EXPECT_FALSE(only(folder / "learned_embeds_2.safetensors", {}, widths).clip_l.defined());
  EXPECT_EQ(embedding_paths(folder).size(), 2u);
  std::filesystem::remove(folder / "learned_embeds.safetensors");
  EXPECT_THROW(embedding_paths(folder), Error);
}

TEST_F(EmbeddingFile, TakesAWordOfStableDiffusion1ForTheFirstEncoderAndSaysSo) {
  const auto file = load_embedding(source_path("tests/golden/pickles/word_sd1.pt"), {}, widths);
  ASSERT_EQ(file.words.size(), 1u);
  EXPECT_EQ(file.words[0].name, "word_sd1");
  EXPECT_EQ(file.words[0].also, "bad_hands");
  EXPECT_EQ(shape_of(file.words[0].clip_l), (Shape{2, 64}));
  EXPECT_FALSE(file.words[0].clip_g.defined());
  EXPECT_NE(file.notice.find("first text encoder alone"), std::string::npos) << file.notice;
  EXPECT_EQ(load_embedding(written({{"clip_l", at::rand({2, 64})}, {"clip_g", at::rand({2, 96})}}), {}, widths).notice, "");
}

TEST_F(EmbeddingFile, GivesEachWordOfPivotalTuningItsVectorAndTheNameAllOfThem) {
  const auto l = at::rand({2, 64}), g = at::rand({2, 96});
  const auto path = written({{"text_encoders_0", l}, {"text_encoders_1", g}});
  const auto words = load_embedding(path, {}, widths).words;
  ASSERT_EQ(words.size(), 3u);
  EXPECT_EQ(words[0].name, "toy");
  EXPECT_TRUE(at::equal(words[0].clip_g, g));
  EXPECT_EQ(words[2].name, "<s1>");
  EXPECT_TRUE(at::equal(words[2].clip_l, l.slice(0, 1, 2)) && at::equal(words[2].clip_g, g.slice(0, 1, 2)));
  EXPECT_EQ(only(path, "mine", widths).name, "mine");
  EXPECT_NE(
      refusal({{"text_encoders_0", at::rand({2, 64})}, {"text_encoders_1", at::rand({3, 96})}}, widths).find("expected as many"),
      std::string::npos);
}

TEST_F(EmbeddingFile, CallsSeveralWordsOfOneFileByTheirTokens) {
  const auto path = written({{"<cat>", at::rand({64})}, {"<dog>", at::rand({3, 64})}, {"<owl>", at::rand({96})}});
  const auto words = load_embedding(path, {}, widths).words;
  ASSERT_EQ(words.size(), 3u);
  std::map<std::string, const Embedding*> by_name;
  for (const auto& word : words) by_name[word.name] = &word;
  EXPECT_EQ(shape_of(by_name.at("<cat>")->clip_l), (Shape{1, 64}));
  EXPECT_EQ(shape_of(by_name.at("<dog>")->clip_l), (Shape{3, 64}));
  EXPECT_EQ(shape_of(by_name.at("<owl>")->clip_g), (Shape{1, 96}));
  EXPECT_THROW(load_embedding(path, "one", widths), Error);
}

TEST_F(EmbeddingFile, AddsNamesToACopyOfTheTokenizer) {
  const auto tokenizer = Tokenizer::load(emoji() / "tokenizer");
  const std::vector<Embedding> embeddings{
      {"<s1>", at::full({1, 64}, 1.0f), {}}, {"<s10>", at::full({2, 64}, 2.0f), {}}, {"<g>", {}, at::full({1, 96}, 3.0f)}};
  const auto added = add_embeddings(tokenizer, embeddings, &Embedding::clip_l);
  EXPECT_EQ(tokenizer.size(), 1755);
  EXPECT_EQ(added.tokenizer.size(), 1758);
  EXPECT_EQ(added.tokenizer.encode("<s10><s1>"), (std::vector<int64_t>{1756, 1757, 1755}));
  EXPECT_EQ(shape_of(added.rows), (Shape{3, 64}));
  EXPECT_EQ(added.rows[1][0].item<float>(), 2.0f);
  EXPECT_FALSE(add_embeddings(tokenizer, {}, &Embedding::clip_l).rows.defined());
}

}  // namespace
}  // namespace negativa
