#include "text/prompt_encoder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "text/emoji.h"

namespace negativa {
namespace {

const TextModels& models() {
  static const auto loaded = emoji_text_models();
  return loaded;
}

const SafetensorsFile& golden() {
  static const auto file = SafetensorsFile::open(golden_path("text_emoji.safetensors"));
  return *file;
}

PromptEmbeds encode(const std::string& prompt, Weighting weighting = Weighting::compel) {
  PromptRequest request;
  request.prompt = prompt;
  request.weighting = weighting;
  return encode_prompt(models(), request);
}

Tensor golden_both(const std::string& kind, int prompt) {
  return at::cat({golden().load(fmt::format("{}.{}.1", kind, prompt)), golden().load(fmt::format("{}.{}.2", kind, prompt))}, -1);
}

std::string golden_prompt(int prompt) { return golden().metadata().at(fmt::format("prompt.{}", prompt)); }

constexpr double tolerance = 2e-5;  // of the largest entry; both run the same kernels in fp32

TEST(PromptEncoder, EqualsTransformersOnPlainPrompts) {
  for (const int i : {0, 4}) {
    const auto embeds = encode(golden_prompt(i), Weighting::none);
    EXPECT_LT(relative_error(embeds.prompt_embeds, golden_both("plain", i)), tolerance) << golden_prompt(i);
    EXPECT_LT(relative_error(embeds.pooled_prompt_embeds, golden().load(fmt::format("pooled.{}", i))), tolerance);
  }
  const auto ids = at::tensor(models().second.tokenizer.tokenize(golden_prompt(0)).ids.at(0), at::kLong).unsqueeze(0);
  EXPECT_LT(relative_error(models().second.model.forward(ids).last, golden().load("last.0.2")), tolerance);
}

TEST(PromptEncoder, EqualsCompelOnWeightedPrompts) {  // pitfalls 42 and 45; truncation and masks cut by it; conjunction, blend
  for (int i = 0; golden().metadata().contains(fmt::format("prompt.{}", i)); ++i)
    EXPECT_LT(relative_error(encode(golden_prompt(i)).prompt_embeds, golden_both("compel", i)), tolerance) << golden_prompt(i);
}

TEST(PromptEncoder, PoolsTheRawPromptUnlessAskedForTheWords) {  // pitfall 43
  const std::string prompt = "(low quality)++++";
  const auto raw = golden().load("pooled.4");
  EXPECT_EQ(golden_prompt(4), prompt);
  EXPECT_LT(relative_error(encode(prompt).pooled_prompt_embeds, raw), tolerance);
  PromptRequest request;
  request.prompt = prompt;
  request.pooled = PooledFrom::clean;
  const auto clean = encode_prompt(models(), request).pooled_prompt_embeds;
  EXPECT_TRUE(at::equal(clean, encode("low quality", Weighting::none).pooled_prompt_embeds));
  EXPECT_GT(relative_error(clean, raw), 1e-3);
}

TEST(PromptEncoder, LeavesPromptsWithoutWeightsAlone) {
  for (const char* prompt : {"red apple on a blue background", "", "owl, blurry"}) {
    const auto plain = encode(prompt, Weighting::none), compel = encode(prompt);
    EXPECT_TRUE(at::equal(plain.prompt_embeds, compel.prompt_embeds)) << prompt;
    EXPECT_TRUE(at::equal(plain.pooled_prompt_embeds, compel.pooled_prompt_embeds)) << prompt;
  }
}

TEST(PromptEncoder, KeepsTheBytesOfRowsOfWeightOne) {
  const auto weighted = encode("owl (blurry)1.5").prompt_embeds, plain = encode("owl blurry").prompt_embeds;
  EXPECT_TRUE(at::equal(weighted.slice(1, 0, 2), plain.slice(1, 0, 2)));
  EXPECT_FALSE(at::equal(weighted.slice(1, 2, 3), plain.slice(1, 2, 3)));
  EXPECT_TRUE(at::equal(weighted.slice(1, -1), plain.slice(1, -1)));
}

TEST(PromptEncoder, PutsTheFirstEncoderInTheFirstColumns) {  // pitfalls 13 and 14
  const auto embeds = encode("owl");
  ASSERT_EQ(shape_of(embeds.prompt_embeds), (Shape{1, 77, 160}));
  ASSERT_EQ(shape_of(embeds.pooled_prompt_embeds), (Shape{1, 96}));
  const auto ids = at::tensor(models().first->tokenizer.tokenize("owl").ids.at(0), at::kLong).unsqueeze(0);
  EXPECT_TRUE(at::equal(embeds.prompt_embeds.slice(2, 0, 64), models().first->model.forward(ids).penultimate));
  EXPECT_GT(embeds.prompt_embeds.slice(1, 10).abs().sum(-1).min().item<double>(), 0);  // pads are context too
  const auto& second = models().second;
  auto other_pad = at::tensor(models().first->tokenizer.tokenize("owl").ids.at(0), at::kLong).unsqueeze(0);
  EXPECT_GT(relative_error(second.model.forward(other_pad).penultimate, embeds.prompt_embeds.slice(2, 64)), 1e-3);
}

TEST(PromptEncoder, EncodesTheFirstPromptWithARefinersOnlyEncoder) {
  const TextModels refiner{std::nullopt, models().second};
  PromptRequest request;
  request.prompt = "owl";
  request.prompt_2 = "frog";
  const auto embeds = encode_prompt(refiner, request);
  EXPECT_TRUE(at::equal(embeds.prompt_embeds, encode("owl").prompt_embeds.slice(2, 64)));
  const auto both = encode_prompt(models(), request);
  EXPECT_TRUE(at::equal(both.prompt_embeds.slice(2, 0, 64), encode("owl").prompt_embeds.slice(2, 0, 64)));
  EXPECT_TRUE(at::equal(both.prompt_embeds.slice(2, 64), encode("frog").prompt_embeds.slice(2, 64)));
  EXPECT_TRUE(at::equal(both.pooled_prompt_embeds, encode("frog").pooled_prompt_embeds));
}

TEST(PromptEncoder, GivesSeventySevenRowsForEachPartAndPadsWithTheEmptyPrompt) {
  auto positive = encode("(\"owl\", \"frog\").and()");
  auto negative = encode("blurry");
  ASSERT_EQ(positive.prompt_embeds.size(1), 154);
  EXPECT_TRUE(at::equal(positive.prompt_embeds.slice(1, 77), encode("frog").prompt_embeds));
  const auto empty = encode("");
  pad_to_same_length(positive, negative, empty);
  ASSERT_EQ(negative.prompt_embeds.size(1), 154);
  EXPECT_TRUE(at::equal(negative.prompt_embeds.slice(1, 77), empty.prompt_embeds));
  const auto zeros = zeros_like(positive);
  EXPECT_EQ(zeros.prompt_embeds.abs().max().item<float>(), 0);
  EXPECT_EQ(shape_of(zeros.prompt_embeds), shape_of(positive.prompt_embeds));
  PromptRequest request;
  request.prompt = "(\"owl\", \"frog\").and()";
  request.prompt_2 = "owl";  // shorter for the second encoder: its own empty rows follow
  const auto mixed = encode_prompt(models(), request).prompt_embeds;
  EXPECT_TRUE(at::equal(mixed.slice(2, 64).slice(1, 77), empty.prompt_embeds.slice(2, 64)));
}

TEST(PromptEncoder, SaysWhatItCut) {
  std::string prompt;
  for (int i = 0; i < 75; ++i) prompt += "owl ";
  for (const auto weighting : {Weighting::compel, Weighting::none}) {
    const auto embeds = encode(prompt + "blurry frog", weighting);
    EXPECT_NE(embeds.cut.find("frog"), std::string::npos) << embeds.cut;
    EXPECT_EQ(embeds.cut.find("owl"), std::string::npos) << embeds.cut;
    EXPECT_EQ(encode("owl", weighting).cut, "");
  }
  EXPECT_EQ(encode("(\"owl\", \"frog\").and() more").ignored, "more");
}

TEST(PromptEncoder, TakesEmbeddingsWithoutChangingTheModel) {
  const auto before = encode("a <toy> lion");
  PromptRequest request;
  request.prompt = "a <toy> lion";
  request.embeddings = {{"<toy>", at::full({2, 64}, 0.03f), at::full({2, 96}, 0.03f)}};
  const auto with = encode_prompt(models(), request);
  EXPECT_GT(relative_error(with.prompt_embeds, before.prompt_embeds), 1e-3);
  request.pooled_row = PooledRow::end_token;
  EXPECT_GT(relative_error(encode_prompt(models(), request).pooled_prompt_embeds, with.pooled_prompt_embeds), 1e-3);
  EXPECT_TRUE(at::equal(encode("a <toy> lion").prompt_embeds, before.prompt_embeds));
  request.embeddings.push_back(request.embeddings.front());
  EXPECT_THROW(encode_prompt(models(), request), Error);
}

TEST(PromptEncoder, SkipsLoweredFragmentsWithoutTokens) {  // Compel raises
  EXPECT_TRUE(at::equal(encode("\"\"0.5 owl").prompt_embeds, encode("owl").prompt_embeds));
}

TEST(Weighting, WeighsNeitherBosNorEosNorPads) {  // pitfall 45
  const auto& tokenizer = models().second.tokenizer;
  const auto weighted = weighted_tokens(tokenizer, {{"owl", 1.5}, {"frog", 0.5}});
  const auto& weights = weighted.tokens.weights.at(0);
  EXPECT_EQ(weights[0], 1.0);
  EXPECT_EQ(weights[1], 1.5);
  ASSERT_EQ(weighted.fragments.size(), 2u);
  const auto behind = static_cast<size_t>(weighted.fragments[1].end);
  EXPECT_EQ(weights[behind - 1], 0.5);
  EXPECT_EQ(weighted.tokens.ids.at(0)[behind], tokenizer.eos());
  for (size_t i = behind; i < 77; ++i) EXPECT_EQ(weights[i], 1.0);
  EXPECT_EQ(weighted.tokens.ids.at(0)[76], 0);
}

TEST(Weighting, MasksToTheEndOnlyWhatIsCutByWhatStandsBefore) {  // sdxl.md 7.2, 3
  const auto& tokenizer = models().second.tokenizer;
  std::string owls;
  for (int i = 0; i < 90; ++i) owls += "owl ";
  EXPECT_EQ(weighted_tokens(tokenizer, {{owls, 0.5}}).fragments.at(0).end, 76);
  const auto behind = weighted_tokens(tokenizer, {{"frog", 1.0}, {owls, 0.5}, {"frog", 0.5}});
  EXPECT_EQ(behind.fragments.size(), 2u);
  EXPECT_EQ(behind.fragments.at(1).end, 77);
}

TEST(PromptEncoder, BothNamesOfAnEmbeddingAreItsVectors) {
  const auto encode_with = [](const std::string& prompt) {
    PromptRequest request;
    request.prompt = prompt;
    request.embeddings = {{"my-toy", at::full({2, 64}, 0.1), at::full({2, 96}, 0.2), "<toy>"}};
    return encode_prompt(models(), request);
  };
  const auto named = encode_with("a my-toy on a table"), as_stored = encode_with("a <toy> on a table"),
             neither = encode_with("a toy on a table");
  EXPECT_TRUE(at::equal(named.prompt_embeds, as_stored.prompt_embeds));
  EXPECT_FALSE(at::equal(named.prompt_embeds, neither.prompt_embeds));
}

}  // namespace
}  // namespace negativa
