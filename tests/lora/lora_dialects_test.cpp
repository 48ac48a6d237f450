// Every dialect gives the same LoRA. Goldens: tools/goldens_lora.py (diffusers 0.42.1, peft 0.21.2), which checks them in
// diffusers too.
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "lora/key_index.h"
#include "lora/merge_weights.h"
#include "nn/layers.h"
#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

// Compares delta @ probe of every module in the file with the script's; returns how many were compared.
int compare_with_expected(const LoraFile& lora) {
  const auto expected = SafetensorsFile::open(golden("lora_expected.safetensors"));
  int compared = 0;
  for (const auto& [component, layers] : lora.modules) {
    for (const auto& [name, module] : layers) {
      const auto flat = name.starts_with("text_model.") ? name.substr(11) : name;
      const Tensor probe = expected->load(fmt::format("probe.{}", module.down.size(1)));
      const Tensor wanted = expected->load(component + "." + flat);
      EXPECT_TRUE(at::allclose(at::mm(delta(module), probe), wanted, 1e-4, 1e-5)) << lora.path << " " << component << " " << name;
      ++compared;
    }
  }
  return compared;
}

struct TwoLinears {
  nn::Linear to_q{6, 4}, to_out{4, 6};
  static void visit(auto& self, auto& v) {
    v("down_blocks.0.attentions.0.to_q", self.to_q);
    v("down_blocks.0.attentions.0.to_out.0", self.to_out);
  }
};

void write_text(const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace

struct GoldenFile {
  const char* name;
  int modules;  // of the 15 that lora_expected.safetensors has, as far as the dialect can say them
  LoraDialect dialect;
};

void PrintTo(const GoldenFile& file, std::ostream* out) { *out << file.name; }

class LoraGolden : public ::testing::TestWithParam<GoldenFile> {};

TEST_P(LoraGolden, GivesTheDeltaOfEveryModule) {
  const auto lora = read_lora(golden(GetParam().name), model_targets());
  EXPECT_EQ(compare_with_expected(lora), GetParam().modules);
  EXPECT_EQ(lora.dialect, GetParam().dialect);
  EXPECT_TRUE(lora.coverage.unmatched.empty());
}

INSTANTIATE_TEST_SUITE_P(Dialects, LoraGolden,
                         ::testing::Values(GoldenFile{"lora_diffusers.safetensors", 15, LoraDialect::diffusers},
                                           GoldenFile{"lora_diffusers_metadata.safetensors", 15, LoraDialect::diffusers},
                                           GoldenFile{"lora_diffusers_2023.safetensors", 10, LoraDialect::diffusers},
                                           GoldenFile{"lora_peft", 9, LoraDialect::peft},
                                           GoldenFile{"lora_kohya.safetensors", 15, LoraDialect::kohya},
                                           GoldenFile{"lora_kohya_blocks.safetensors", 15, LoraDialect::kohya}),
                         [](const auto& info) { return std::filesystem::path(info.param.name).stem().string(); });

TEST(LoraDialects, EverySpellingOfEveryDialectReadsToTheSameModules) {
  const auto lora = small_lora();
  for (const auto dialect : {LoraDialect::diffusers, LoraDialect::kohya, LoraDialect::peft})
    for (size_t spelling = 0; spelling < 6; ++spelling)
      expect_same_deltas(write_and_read(tensors_of(lora, dialect, spelling)).modules, lora);
}

TEST(LoraDialects, FindsAllLayersOfFullSizeSdxlAgain) {
  const auto targets = full_size_unet_targets();
  const auto& layers = targets.components.at("unet");
  ASSERT_EQ(layers.size(), 722u);  // sdxl.md 8.3
  const LoraKeyIndex index(targets);
  std::set<std::string> kohya;
  for (const auto& layer : layers)
    for (const auto dialect : {LoraDialect::diffusers, LoraDialect::kohya, LoraDialect::peft})
      for (const auto& key : lora_names(dialect, "unet", layer.name, LoraSide::down, targets.layout)) {
        const auto places = index.find(key);
        ASSERT_EQ(places.size(), 1u) << key;
        EXPECT_EQ(places[0].target->name, layer.name) << key;
        if (dialect == LoraDialect::kohya) kohya.insert(key);
      }
  EXPECT_TRUE(kohya.contains("lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.lora_down.weight"));
  EXPECT_TRUE(kohya.contains("lora_unet_output_blocks_0_1_proj_in.lora_down.weight"));
}

TEST(LoraDialects, ReadsFilesThatMixBothStylesOfDiffusersKeys) {
  const auto lora = small_lora();
  auto tensors = tensors_of(lora, LoraDialect::diffusers);
  const std::string module = "unet.mid_block.attentions.0.transformer_blocks.1.attn2.to_k";
  for (const auto& [style, other] :
       {std::pair{".lora.down.weight", ".lora_A.weight"}, std::pair{".lora.up.weight", ".lora_B.weight"}}) {
    auto moved = tensors.extract(module + style);
    moved.key() = module + other;
    tensors.insert(std::move(moved));
  }
  expect_same_deltas(write_and_read(tensors).modules, lora);
}

TEST(LoraDialects, ReadsPeftKeysWithTheAdaptersNameInside) {
  const auto lora = small_lora();
  Tensors tensors;
  for (auto& [key, tensor] : tensors_of(lora, LoraDialect::peft)) {
    auto named = key;
    tensors[named.insert(named.rfind(".weight"), ".wrong")] = tensor;
  }
  expect_same_deltas(write_and_read(tensors).modules, lora);
}

TEST(LoraDialects, TellsTheTextEncodersOfPeftFilesByTheirWidth) {
  const auto lora = small_lora();
  for (const auto& [component, layers] : lora) {
    if (component == "unet") continue;
    Tensors tensors;
    for (const auto& [name, module] : layers) {
      tensors["base_model.model." + name + ".lora_A.weight"] = module.down;
      tensors["base_model.model." + name + ".lora_B.weight"] = module.up * module.scale();
    }
    expect_same_deltas(write_and_read(tensors).modules, {{component, layers}});
  }
}

TEST(LoraDialects, HalfPrecisionBecomesFp32) {
  const auto lora = small_lora();
  for (const auto dtype : {at::kHalf, at::kBFloat16}) {
    Tensors tensors;
    for (const auto& [key, tensor] : tensors_of(lora, LoraDialect::kohya)) tensors[key] = tensor.to(dtype);
    const auto got = write_and_read(tensors);
    const std::string name = "mid_block.attentions.0.transformer_blocks.1.attn2.to_k";
    const auto& module = got.modules.at("unet").at(name);
    EXPECT_EQ(module.down.scalar_type(), at::kFloat);
    EXPECT_TRUE(at::equal(module.down, lora.at("unet").at(name).down.to(dtype).to(at::kFloat)));
  }
}

TEST(LoraDialects, SqueezesLinearLayersStoredAsConvolutions) {
  const auto lora = small_lora();
  Tensors tensors;
  for (const auto& [key, tensor] : tensors_of(lora, LoraDialect::kohya))
    tensors[key] = tensor.dim() == 2 ? tensor.reshape({tensor.size(0), tensor.size(1), 1, 1}) : tensor;
  expect_same_deltas(write_and_read(tensors).modules, lora);
}

TEST(LoraScale, IsAlphaOverRankOfEachModule) {
  // sdxl.md 11, pitfall 46: kohya rank 8, alpha 4 -> 0.5; two alphas in one file -> each its own (diffusers takes the commoner
  // for both).
  const std::string first = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q",
                    second = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_k";
  const auto lora = write_and_read({{first + ".lora_down.weight", at::ones({8, 64})},
                                    {first + ".lora_up.weight", at::ones({64, 8})},
                                    {first + ".alpha", at::scalar_tensor(4.f)},
                                    {second + ".lora_down.weight", at::ones({8, 64})},
                                    {second + ".lora_up.weight", at::ones({64, 8})},
                                    {second + ".alpha", at::scalar_tensor(16.f)}});
  const auto& layers = lora.modules.at("unet");
  EXPECT_EQ(layers.at("down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q").scale(), 0.5);
  EXPECT_EQ(layers.at("down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_k").scale(), 2.0);
}

TEST(LoraScale, IsOneWithoutAlpha) {
  const std::string name = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q";
  Tensors tensors = {{name + ".lora_down.weight", at::ones({8, 64})}, {name + ".lora_up.weight", at::ones({64, 8})}};
  EXPECT_EQ(write_and_read(tensors).modules.at("unet").begin()->second.scale(), 1.0);
}

TEST(LoraScale, FollowsPeftsPatternsAndRankStabilisation) {
  const std::string q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
                    k = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_k";
  Tensors tensors;
  for (const auto& name : {q, k}) {
    tensors["unet." + name + ".lora_A.weight"] = at::ones({4, 64});
    tensors["unet." + name + ".lora_B.weight"] = at::ones({64, 4});
  }
  const auto scale = [&](const std::string& json, const std::string& name) {
    return write_and_read(tensors, {{"lora_adapter_metadata", json}}).modules.at("unet").at(name).scale();
  };
  const std::string plain = R"({"unet.r": 4, "unet.lora_alpha": 8, "unet.alpha_pattern": {"attn1.to_k": 2}})";
  EXPECT_EQ(scale(plain, q), 2.0);
  EXPECT_EQ(scale(plain, k), 0.5);
  EXPECT_EQ(scale(R"({"unet.r": 4, "unet.lora_alpha": 8, "unet.alpha_pattern": {"^to_k": 2}})", k), 2.0);  // "^": the whole name
  EXPECT_EQ(scale(R"({"unet.r": 4, "unet.lora_alpha": 8, "unet.use_rslora": true})", q), 4.0);             // 8 / sqrt(4)
  EXPECT_EQ(scale(R"({"r": 4, "lora_alpha": 8})", q), 2.0);  // save_lora_adapter: no prefix
}

TEST(LoraScale, IsOnePerModuleInMixedRankFilesWithoutAlpha) {
  const auto lora = read_lora(golden("lora_diffusers.safetensors"), model_targets());
  std::set<int64_t> ranks;
  for (const auto& [name, module] : lora.modules.at("unet")) {
    ranks.insert(module.rank());
    EXPECT_EQ(module.scale(), 1.0) << name;
  }
  EXPECT_EQ(ranks, (std::set<int64_t>{2, 4}));
}

TEST(LoraFolder, WeightsOfPeftNamedDirectlyStillFollowTheConfigBesideThem) {
  const auto folder = read_lora(golden("lora_peft"), model_targets()),
             file = read_lora(golden("lora_peft/adapter_model.safetensors"), model_targets());
  EXPECT_EQ(folder.modules.at("unet").begin()->second.scale(), file.modules.at("unet").begin()->second.scale());
  EXPECT_EQ(file.modules.at("unet").begin()->second.scale(), 0.25);  // proj_in: alpha 1, rank 4
}

TEST(LoraFolder, WithoutWeightsIsAnError) {
  const ScratchFolder folder;
  write_text(folder / "adapter_config.json", "{}");
  EXPECT_NE(message_of([&] { read_lora(folder / ".", model_targets()); }).find("adapter_model.safetensors"), std::string::npos);
}

TEST(LoraTargetsOf, AWalkAreItsLinearLayers) {
  TwoLinears part;
  LoraTargets targets;
  targets.add("unet", nn::walk(part));
  const auto& layers = targets.components.at("unet");
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[1].name, "down_blocks.0.attentions.0.to_out.0");
  EXPECT_EQ(layers[1].in_features, 4);
  EXPECT_EQ(layers[1].out_features, 6);
}

}  // namespace negativa
