// A layer whose alpha is 0 is off, in every dialect and every place where an alpha can stand.
#include <gtest/gtest.h>

#include <fstream>

#include "lora/effect.h"
#include "lora/inspect.h"
#include "lora/lora_writer.h"
#include "lora/merge.h"
#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

const std::string on = "mid_block.attentions.0.proj_in", off = "mid_block.attentions.0.proj_out";  // [128, 128] each

// Both layers, of rank 2, under one prefix and in peft's spelling.
Tensors both(const std::string& prefix) {
  Tensors tensors;
  for (const auto& layer : {on, off}) {
    tensors[prefix + layer + ".lora_A.weight"] = Generator(1).randn({2, 128});
    tensors[prefix + layer + ".lora_B.weight"] = Generator(2).randn({128, 2});
  }
  return tensors;
}

void expect_one_off(const LoraFile& lora, double alpha_of_other) {
  ASSERT_EQ(lora.modules.size(), 1u);
  ASSERT_EQ(lora.modules.at("unet").size(), 1u);
  EXPECT_EQ(lora.modules.at("unet").at(on).alpha, alpha_of_other);
  ASSERT_EQ(lora.coverage.off.size(), 1u);
  EXPECT_EQ(lora.coverage.off[0].component + " " + lora.coverage.off[0].module, "unet " + off);
  EXPECT_EQ(lora.coverage.off[0].rank, 2);
  EXPECT_TRUE(lora.coverage.unmatched.empty());
}

}  // namespace

TEST(AlphaZero, OfAKeySwitchesTheLayerOffInEveryDialectAndNumberFormat) {
  const auto& layout = model_targets().layout;
  for (const auto dialect : {LoraDialect::kohya, LoraDialect::diffusers, LoraDialect::peft})
    for (const auto dtype : {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble, at::kLong})
      for (const Shape& shape : {Shape{}, Shape{1}}) {
        Tensors tensors;
        for (const auto& layer : {on, off}) {
          const auto key = [&, &layer = layer](LoraSide side) {
            return lora_names(dialect, "unet", layer, side, layout).front();
          };
          tensors[key(LoraSide::down)] = at::ones({2, 128});
          tensors[key(LoraSide::up)] = at::ones({128, 2});
          tensors[key(LoraSide::alpha)] = at::full(shape, layer == off ? 0 : 3, dtype);
        }
        expect_one_off(write_and_read(tensors), 3);
      }
}

TEST(AlphaZero, OfAConfigSwitchesLayersOffByItsPatternOrForAllThatNoPatternNames) {
  const std::string patterns[] = {R"("lora_alpha": 4, "alpha_pattern": {")" + off + R"(": 0})",
                                  R"("lora_alpha": 0, "alpha_pattern": {")" + on + R"(": 4})"};
  for (const auto& pattern : patterns) {
    expect_one_off(write_and_read(both("unet."), {{"lora_adapter_metadata", "{\"r\": 2, " + pattern + "}"}}), 4);
    std::string prefixed = "{\"unet.r\": 2, " + pattern + "}";
    for (const char* field : {"lora_alpha", "alpha_pattern"}) prefixed.replace(prefixed.find(field), 0, "unet.");
    expect_one_off(write_and_read(both("unet."), {{"lora_adapter_metadata", prefixed}}), 4);
    for (const char* rslora : {"false", "true"}) {
      const ScratchFolder folder;
      write_safetensors(folder / "adapter_model.safetensors", both("base_model.model."));
      std::ofstream(folder / "adapter_config.json")
          << "{\"peft_type\": \"LORA\", \"r\": 2, \"use_rslora\": " << rslora << ", " << pattern << "}";
      expect_one_off(read_lora(folder / "", model_targets()), rslora == std::string("true") ? 4 * std::sqrt(2.0) : 4);
    }
  }
}

TEST(AlphaZero, IsNotAMissingAlphaWhichIsTheRank) {
  const auto lora = write_and_read(both("unet."));
  EXPECT_EQ(lora.modules.at("unet").at(off).alpha, 2);
  EXPECT_TRUE(lora.coverage.off.empty());
}

TEST(AlphaZero, LeavesTheLayerOutOfWhatIsAttachedMergedAndWritten) {
  auto tensors = both("unet.");
  tensors["unet." + off + ".alpha"] = at::zeros({});
  const auto lora = std::make_shared<const LoraFile>(write_and_read(tensors));
  EXPECT_EQ(unet_adapters({{lora, 1, LoraBranch::both}}).layers().size(), 1u);
  EXPECT_EQ(merge_loras({{lora, 1}, {lora, 2}}, MergeMethod::concat).modules.at("unet").size(), 1u);
  const ScratchFolder folder;
  for (const auto dialect : {LoraDialect::kohya, LoraDialect::diffusers, LoraDialect::peft}) {
    write_lora(folder / "out.safetensors", *lora, {dialect, model_targets().layout, {}});
    const auto again = read_lora(folder / "out.safetensors", model_targets());
    EXPECT_EQ(again.modules.at("unet").size(), 1u);
    EXPECT_TRUE(again.coverage.off.empty());
  }
}

TEST(AlphaZero, IsShownByInspectWithAndWithoutAModel) {
  const ScratchFolder folder;
  auto tensors = both("unet.");
  tensors["unet." + off + ".alpha"] = at::zeros({});
  write_safetensors(folder / "lora.safetensors", tensors);
  for (const auto* targets : {&model_targets(), static_cast<const LoraTargets*>(nullptr)}) {
    const auto report = inspect_lora(folder / "lora.safetensors", targets);
    EXPECT_EQ(report.layers.size(), 1u);
    ASSERT_EQ(report.off.size(), 1u);
    EXPECT_NE(report.off[0].find(off), std::string::npos) << report.off[0];
    EXPECT_EQ(report.remark.find("has no effect"), std::string::npos) << report.remark;
  }
  tensors["unet." + on + ".alpha"] = at::zeros({});
  write_safetensors(folder / "lora.safetensors", tensors);
  const auto all_off = inspect_lora(folder / "lora.safetensors", &model_targets());
  EXPECT_TRUE(all_off.layers.empty());
  EXPECT_EQ(all_off.off.size(), 2u);
}

TEST(Effect, IsMissedByNoneOfItsReasons) {
  LoraTargets targets = model_targets();
  for (auto& target : targets.components.at("text_encoder"))
    target.is_read = !target.name.starts_with("text_model.encoder.layers.2.");
  const ScratchFolder folder;
  const auto read = [&](const std::vector<std::string>& stems, double up = 1, bool is_off = false) {
    Tensors tensors;
    for (const auto& stem : stems) {
      const bool is_text = stem.starts_with("text_encoder");
      const int64_t width = stem.starts_with("text_encoder_2") ? 96 : is_text ? 64 : 128;
      tensors[stem + ".lora_A.weight"] = at::ones({2, width});
      tensors[stem + ".lora_B.weight"] = at::full({width, 2}, up);
      if (is_off) tensors[stem + ".alpha"] = at::zeros({});
    }
    write_safetensors(folder / "lora.safetensors", tensors);
    return std::make_shared<const LoraFile>(read_lora(folder / "lora.safetensors", targets));
  };
  const std::string unet = "unet." + on, unread = "text_encoder.text_model.encoder.layers.2.self_attn.q_proj",
                    text = "text_encoder.text_model.encoder.layers.1.self_attn.q_proj",
                    last_of_second = "text_encoder_2.text_model.encoder.layers.2.self_attn.q_proj";
  const auto why = [](const std::shared_ptr<const LoraFile>& file, double weight = 1, LoraBranch branch = LoraBranch::both,
                      const PictureReads& reads = {}) {
    return why_without_effect({file, weight, branch}, reads);
  };
  EXPECT_EQ(why(read({unet})), "");
  EXPECT_EQ(why(read({unet}), 0), "its weight is 0");
  EXPECT_EQ(why(read({unread})), "it has 1 layer that no picture reads (the last of text_encoder)");
  EXPECT_EQ(why(read({unread, text})), "");
  EXPECT_EQ(why(read({unread, last_of_second})), "");
  EXPECT_EQ(why(read({unet, text}, 1, true)), "it has 2 layers switched off by alpha 0");
  EXPECT_EQ(why(read({unet}, 0)), "it has 1 layer of zeros");
  EXPECT_EQ(why(read({unread, unet}, 0)), "it has 1 layer that no picture reads (the last of text_encoder), 1 layer of zeros");
  const PictureReads no_negative{.negative = false}, no_negative_prompt{.negative_text = false}, no_base{.base = false};
  EXPECT_NE(why(read({unet, text}), 1, LoraBranch::negative, no_negative).find("negative branch"), std::string::npos);
  EXPECT_EQ(why(read({unet}), 1, LoraBranch::positive, no_negative), "");
  EXPECT_EQ(why(read({unet}), 1, LoraBranch::both, no_negative), "");
  EXPECT_NE(why(read({text}), 1, LoraBranch::negative, no_negative_prompt).find("try -n"), std::string::npos);
  EXPECT_EQ(why(read({text}), 1, LoraBranch::both, no_negative_prompt), "");
  EXPECT_EQ(why(read({unet, text}), 1, LoraBranch::negative, no_negative_prompt), "");
  EXPECT_NE(why(read({unet}), 1, LoraBranch::both, no_base).find("refiner"), std::string::npos);
}

}  // namespace negativa
