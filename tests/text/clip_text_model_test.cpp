#include "text/clip_text_model.h"

#include <gtest/gtest.h>

#include "text/emoji.h"

namespace negativa {
namespace {

Tensor row_of(const Tokenizer& tokenizer, const std::string& text) {
  return at::tensor(tokenizer.tokenize(text).ids.at(0), at::kLong).unsqueeze(0);
}

TEST(CLIPTextConfig, TakesClassDefaultsForAbsentKeys) {
  const auto config = CLIPTextConfig::parse("{}", "config");
  EXPECT_EQ(config.hidden_size, 512);
  EXPECT_EQ(config.num_attention_heads, 8);
  EXPECT_EQ(config.eos_token_id, 49407);
  EXPECT_EQ(config.hidden_act, "quick_gelu");
  EXPECT_FALSE(config.with_projection);
}

TEST(CLIPTextConfig, ReadsTheFilesOfBothTransformersVersions) {
  const auto config = emoji_config("text_encoder_2");
  EXPECT_TRUE(config.with_projection);
  EXPECT_EQ(config.eos_token_id, 2);
  EXPECT_EQ(config.hidden_act, "gelu");
  EXPECT_NO_THROW(
      CLIPTextConfig::parse(R"({"torch_dtype": "float16", "dropout": 0.0, "_name_or_path": "x", "bos_token_id": 0})", "config"));
}

TEST(CLIPTextConfig, RefusesWhatCannotBe) {
  for (const char* text :
       {"{", "[]", R"({"hidden_size": 0})", R"({"hidden_size": "512"})", R"({"hidden_size": 100})", R"({"hidden_act": "tanh"})"})
    EXPECT_THROW(CLIPTextConfig::parse(text, "config"), Error) << text;
}

TEST(CLIPTextModel, HasTheParametersOfSdxlEncoders) {  // sdxl.md 2.1
  CLIPTextConfig first, second;
  first.hidden_size = 768, first.intermediate_size = 3072, first.num_attention_heads = 12;
  second.hidden_size = 1280, second.intermediate_size = 5120, second.num_attention_heads = 20, second.num_hidden_layers = 32;
  second.projection_dim = 1280, second.with_projection = true;
  CLIPTextModel clip_l(first), clip_g(second);
  EXPECT_EQ(nn::parameter_count(nn::walk(clip_l)), 123060480);
  EXPECT_EQ(nn::walk(clip_l).slots.size(), 196u);
  EXPECT_EQ(nn::parameter_count(nn::walk(clip_g)), 694659840);
  EXPECT_EQ(nn::walk(clip_g).slots.size(), 517u);
  EXPECT_EQ(first.hidden_size / first.num_attention_heads, 64);  // pitfall 15
  EXPECT_EQ(second.hidden_size / second.num_attention_heads, 64);
}

TEST(CLIPTextModel, NamesItsLayersAsTheFilesDo) {
  auto model = emoji_encoder("text_encoder");
  EXPECT_EQ(model.text_model.encoder.layers.at(2).self_attn.q_proj.name, "text_model.encoder.layers.2.self_attn.q_proj");
  EXPECT_EQ(model.text_model.encoder.layers.at(0).mlp.fc1.name, "text_model.encoder.layers.0.mlp.fc1");
}

TEST(CLIPTextModel, ReadsKeysWithAndWithoutPrefix) {  // pitfall 62
  const auto prefixed = emoji_weights("text_encoder_2");
  Weights flat;
  for (const auto& [key, source] : prefixed) flat.emplace(key.starts_with("text_model.") ? key.substr(11) : key, source);
  flat.emplace("embeddings.position_ids", flat.begin()->second);
  const auto model = emoji_encoder("text_encoder_2");
  const auto other = CLIPTextModel::load("text_encoder_2", model.config, flat);
  const auto ids = row_of(Tokenizer::load(emoji() / "tokenizer_2"), "a big lion");
  EXPECT_TRUE(at::equal(model.forward(ids).pooled, other.forward(ids).pooled));
  EXPECT_THROW(CLIPTextModel::load("text_encoder", emoji_config("text_encoder"), prefixed), Error);
}

TEST(CLIPTextModel, DropsAProjectionThatTheConfigDoesNotAskFor) {
  auto config = emoji_config("text_encoder_2");
  config.with_projection = false;
  const auto model = CLIPTextModel::load("text_encoder", config, emoji_weights("text_encoder_2"));
  EXPECT_FALSE(model.forward(at::tensor({1753, 1754}, at::kLong).unsqueeze(0)).pooled.defined());
}

TEST(CLIPTextModel, GivesThePenultimateStateUnnormalized) {  // pitfall 10
  const auto model = emoji_encoder("text_encoder");
  auto config = model.config;
  config.num_hidden_layers = 2;
  auto weights = emoji_weights("text_encoder");
  std::erase_if(weights, [](const auto& weight) { return weight.first.find("encoder.layers.2.") != std::string::npos; });
  const auto shorter = CLIPTextModel::load("text_encoder", config, weights);
  const auto ids = row_of(Tokenizer::load(emoji() / "tokenizer"), "pizza next to volcano");
  const auto penultimate = model.forward(ids).penultimate;
  EXPECT_TRUE(at::equal(model.text_model.final_layer_norm.forward(penultimate), shorter.forward(ids).last));
  EXPECT_GT(relative_error(penultimate, shorter.forward(ids).last), 0.01);
}

TEST(CLIPTextModel, FollowsTheActivationOfItsConfig) {  // pitfall 9
  auto model = emoji_encoder("text_encoder");
  const auto ids = row_of(Tokenizer::load(emoji() / "tokenizer"), "owl");
  const auto quick = model.forward(ids).last;
  model.config.hidden_act = "gelu";
  EXPECT_GT(relative_error(model.forward(ids).last, quick), 1e-3);
}

TEST(CLIPTextModel, PoolsTheFirstEndToken) {  // pitfall 11
  const auto model = emoji_encoder("text_encoder_2");
  for (const char* part : {"tokenizer", "tokenizer_2"}) {  // pads: end tokens, "!"
    const auto ids = row_of(Tokenizer::load(emoji() / part), "owl");
    const auto output = model.forward(ids);
    const auto position = ids.eq(1754).to(at::kInt).argmax(1).item<int64_t>();
    EXPECT_TRUE(at::allclose(output.pooled, model.text_projection->forward(output.last.select(1, position)), 1e-5, 1e-6));
  }
  auto other = model;
  other.config.eos_token_id = 1754;  // the rule of newer files finds the same row
  const auto ids = row_of(Tokenizer::load(emoji() / "tokenizer"), "owl");
  EXPECT_TRUE(at::equal(other.forward(ids).pooled, model.forward(ids).pooled));
}

TEST(CLIPTextModel, PoolsAddedNamesLikeDiffusersUnlessToldTheEnd) {  // pitfall 12
  const auto model = emoji_encoder("text_encoder_2");
  auto tokenizer = Tokenizer::load(emoji() / "tokenizer_2");
  const auto id = tokenizer.add_token("<toy>");
  const auto ids = row_of(tokenizer, "a <toy> lion");
  ASSERT_EQ(ids[0][2].item<int64_t>(), id);
  TextForward request;
  EXPECT_THROW(model.forward(ids, request), Error);
  request.added_rows = at::full({1, model.config.hidden_size}, 0.02f);
  const auto parity = model.forward(ids, request);
  EXPECT_TRUE(at::allclose(parity.pooled, model.text_projection->forward(parity.last.select(1, 2)), 1e-5, 1e-6));
  request.eos_id = tokenizer.eos();
  const auto end = model.forward(ids, request);
  EXPECT_TRUE(at::allclose(end.pooled, model.text_projection->forward(end.last.select(1, 4)), 1e-5, 1e-6));
}

TEST(CLIPTextModel, LooksUpAddedRowsAsIfTheyWereInTheTable) {
  const auto model = emoji_encoder("text_encoder");
  const auto ids = at::tensor({1753, 320, 400, 1754}, at::kLong).unsqueeze(0);
  TextForward request;
  request.added_rows = model.text_model.embeddings.token_embedding.weight.slice(0, 399, 401).to(at::kFloat);
  const auto added = at::tensor({1753, 320, 1756, 1754}, at::kLong).unsqueeze(0);
  EXPECT_TRUE(at::equal(model.forward(ids).last, model.forward(added, request).last));
}

TEST(CLIPTextModel, MasksTokensLikeACausalAttentionWithoutThem) {
  const auto model = emoji_encoder("text_encoder");
  const auto ids = row_of(Tokenizer::load(emoji() / "tokenizer"), "a big lion");
  TextForward request;
  request.attention_mask = at::ones_like(ids);
  EXPECT_LT(relative_error(model.forward(ids, request).last, model.forward(ids).last), 1e-5);
  request.attention_mask->slice(1, 2, 3).zero_();
  const auto masked = model.forward(ids, request).last;
  EXPECT_LT(relative_error(masked.slice(1, 0, 2), model.forward(ids).last.slice(1, 0, 2)), 1e-5);
  EXPECT_GT(relative_error(masked.slice(1, 3), model.forward(ids).last.slice(1, 3)), 1e-3);
}

TEST(CLIPTextModel, TakesAdaptersByTheirFullNames) {
  const auto model = emoji_encoder("text_encoder");
  const auto ids = row_of(Tokenizer::load(emoji() / "tokenizer"), "owl");
  nn::Adapters adapters;
  adapters.add("text_model.encoder.layers.0.self_attn.q_proj", {at::full({2, 64}, 0.1f), at::full({64, 2}, 0.1f), {1.0f}});
  TextForward request;
  request.adapters = &adapters;
  EXPECT_GT(relative_error(model.forward(ids, request).last, model.forward(ids).last), 1e-4);
}

TEST(CLIPTextModel, RefusesMoreTokensThanPositions) {
  EXPECT_THROW(emoji_encoder("text_encoder").forward(at::zeros({1, 78}, at::kLong)), Error);
}

}  // namespace
}  // namespace negativa
