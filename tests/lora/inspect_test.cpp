#include "lora/inspect.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "base/sha256.h"
#include "lora/merge_weights.h"
#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {
std::string bytes_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}
}  // namespace

TEST(Inspect, CountsKeysAndNamesWhatDoesNotFit) {
  const ScratchFolder folder;
  Tensors tensors = tensors_of(small_lora(), LoraDialect::kohya);
  tensors["lora_te2_nowhere.lora_down.weight"] = at::ones({2, 2});
  tensors["lora_unet_middle_block_1_transformer_blocks_1_attn2_to_k.lora_up.weight"] = at::ones({5, 3});
  write_safetensors(folder / "wrong.safetensors", tensors);
  const auto report = inspect_lora(folder / "wrong.safetensors", &model_targets());
  EXPECT_TRUE(report.compared);
  EXPECT_EQ(report.dialect, "kohya");
  EXPECT_EQ(report.parts.at("unet").matched, 9);  // 3 layers of down, up, alpha
  EXPECT_EQ(report.parts.at("unet").misshapen, 1);
  EXPECT_EQ(report.parts.at("text_encoder_2").unmatched, 1);
  EXPECT_EQ(report.unmatched, (std::vector<std::string>{"lora_te2_nowhere.lora_down.weight"}));
  EXPECT_EQ(report.layers.size(), 5u);
  ASSERT_EQ(report.faults.size(), 1u);
  EXPECT_NE(report.faults[0].find("mid_block.attentions.0.transformer_blocks.1.attn2.to_k: up is [5, 3], expected [128, 3]"),
            std::string::npos)
      << report.faults[0];
}

TEST(Inspect, GivesTheSameNumbersWithAndWithoutAModel) {
  const auto path = golden("lora_kohya.safetensors");
  const auto compared = inspect_lora(path, &model_targets()), alone = inspect_lora(path, nullptr);
  EXPECT_FALSE(alone.compared);
  ASSERT_EQ(compared.layers.size(), 15u);
  ASSERT_EQ(alone.layers.size(), 15u);
  std::multiset<double> first, second;
  for (const auto& layer : compared.layers) first.insert(layer.norm);
  for (const auto& layer : alone.layers) second.insert(layer.norm);
  EXPECT_EQ(first, second);
}

TEST(Inspect, NormsAreThoseOfTheDeltas) {
  const auto lora = read_lora(golden("lora_kohya.safetensors"), model_targets());
  for (const auto& layer : inspect_lora(lora.path, &model_targets()).layers) {
    const auto& module = lora.modules.at(layer.component).at(layer.module);
    EXPECT_NEAR(layer.norm, delta(module).norm().item<double>(), 1e-4 * layer.norm) << layer.module;
    EXPECT_EQ(layer.alpha, 1.0);
    EXPECT_EQ(layer.rank, module.rank());
  }
}

TEST(Inspect, TriggerWordComesFromTheBestSourceThereIs) {
  const ScratchFolder folder;
  const auto trigger = [&](const Metadata& metadata) {
    write_safetensors(folder / "t.safetensors", tensors_of(small_lora(), LoraDialect::kohya), metadata);
    const auto report = inspect_lora(folder / "t.safetensors", nullptr);
    return report.trigger + "|" + report.trigger_source;
  };
  const std::string tags = R"({"10_a": {"lens cap": 1, "wrong": 7}, "1_b": {"lens cap": 8}})";
  EXPECT_EQ(trigger({{"modelspec.trigger_phrase", "wrong"}, {"ss_tag_frequency", tags}}), "wrong|modelspec.trigger_phrase");
  EXPECT_EQ(trigger({{"ss_tag_frequency", tags}, {"ss_output_name", "x"}}), "lens cap|ss_tag_frequency");
  EXPECT_EQ(trigger({{"ss_tag_frequency", "{"}, {"ss_output_name", "x"}}), "x|ss_output_name");
  EXPECT_EQ(trigger({}), "|");
}

TEST(Inspect, HashesAreThoseOfCivitai) {
  const auto path = golden("lora_kohya.safetensors");
  const auto bytes = bytes_of(path);
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  const auto report = inspect_lora(path, nullptr);
  EXPECT_EQ(report.auto_v2(), sha256_hex(std::string_view(bytes)).substr(0, 10));
  EXPECT_EQ(report.auto_v3(), sha256_hex(std::string_view(bytes).substr(8 + header)).substr(0, 12));
  EXPECT_EQ(report.auto_v1, "e3b0c442");  // SHA-256 of nothing: the file ends before 0x100000
  const ScratchFolder folder;
  write_safetensors(folder / "long.safetensors", {{"numbers", at::arange(300'000, at::kFloat)}});
  const auto window = bytes_of(folder / "long.safetensors").substr(0x100000, 0x10000);
  EXPECT_EQ(inspect_lora(folder / "long.safetensors", nullptr).auto_v1, sha256_hex(std::string_view(window)).substr(0, 8));
  EXPECT_EQ(report.size_bytes, bytes.size());
}

TEST(Inspect, ReadsLayersKeysAndMetadataOfAFileThatFits) {
  const auto report = inspect_lora(golden("lora_kohya.safetensors"), &model_targets());
  EXPECT_EQ(report.layers.size(), 15u);
  EXPECT_EQ(report.parts.at("unet").matched, 27);
  EXPECT_EQ(report.metadata.at("ss_output_name"), "golden");
  EXPECT_EQ(report.trigger, "wrong");
  EXPECT_EQ(report.trigger_source, "ss_tag_frequency");
}

TEST(Inspect, SaysWhatAFileWithoutLoraLayersIs) {
  const ScratchFolder folder;
  write_safetensors(folder / "e.safetensors", {{"clip_l", at::ones({1, 64})}, {"clip_g", at::ones({1, 96})}});
  EXPECT_NE(inspect_lora(folder / "e.safetensors", nullptr).guess.find("embedding"), std::string::npos);
}

}  // namespace negativa
