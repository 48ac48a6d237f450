// What is written is read back as it was, and says to other programs what it is.
#include "lora/lora_writer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/sha256.h"
#include "nn/layers.h"
#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

using nlohmann::json;

LoraWrite how(LoraDialect dialect, Metadata metadata = {}) { return {dialect, model_targets().layout, std::move(metadata)}; }

LoraFile lora_of(Modules modules) {
  LoraFile lora;
  lora.modules = std::move(modules);
  return lora;
}

// Ranks 1, 2, 3 … and an alpha that is none of them.
Modules mixed_lora() {
  Modules modules = small_lora();
  int64_t rank = 1;
  for (auto& [component, layers] : modules)
    for (auto& [name, module] : layers) {
      module.down = module.down.narrow(0, 0, std::min<int64_t>(rank, 3)).contiguous();
      module.up = module.up.narrow(1, 0, std::min<int64_t>(rank, 3)).contiguous();
      module.alpha = 0.3 * static_cast<double>(rank++);
    }
  return modules;
}

void expect_bit_equal(const Modules& got, const Modules& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [component, layers] : expected) {
    ASSERT_EQ(got.at(component).size(), layers.size()) << component;
    for (const auto& [name, module] : layers) {
      const auto& other = got.at(component).at(name);
      EXPECT_TRUE(at::equal(other.down, module.down) && at::equal(other.up, module.up)) << name;
      EXPECT_EQ(static_cast<float>(other.alpha), static_cast<float>(module.alpha)) << name;
    }
  }
}

std::set<std::string> keys_of(const std::filesystem::path& path) {
  std::set<std::string> keys;
  const auto file = SafetensorsFile::open(path);
  for (const auto& entry : file->entries()) keys.insert(entry.name);
  return keys;
}

Metadata header_of(const std::filesystem::path& path) { return SafetensorsFile::open(path)->metadata(); }

}  // namespace

TEST(LoraWriter, DialectsThatHoldAlphaGiveTheSameBitsBack) {
  const ScratchFolder folder;
  for (const auto& modules : {small_lora(), mixed_lora()}) {
    for (const auto dialect : {LoraDialect::diffusers, LoraDialect::kohya}) {
      write_lora(folder / "a.safetensors", lora_of(modules), how(dialect));
      const auto lora = read_lora(folder / "a.safetensors", model_targets());
      EXPECT_EQ(lora.dialect, dialect);
      expect_bit_equal(lora.modules, modules);
    }
    write_lora(folder / "peft", lora_of({{"unet", modules.at("unet")}}), how(LoraDialect::peft));
    expect_bit_equal(read_lora(folder / "peft", model_targets()).modules, {{"unet", modules.at("unet")}});
  }
}

TEST(LoraWriter, APeftFileWithoutConfigHasTheScaleInItsMatrices) {
  const ScratchFolder folder;
  write_lora(folder / "a.safetensors", lora_of(mixed_lora()), how(LoraDialect::peft));
  const auto lora = read_lora(folder / "a.safetensors", model_targets());
  expect_same_deltas(lora.modules, mixed_lora());
  for (const auto& [component, layers] : lora.modules)
    for (const auto& [name, module] : layers) EXPECT_EQ(module.scale(), 1.0) << name;
}

TEST(LoraWriter, KeysAreThoseTheDialectIsKnownBy) {
  const ScratchFolder folder;
  const auto keys = [&](LoraDialect dialect) {
    write_lora(folder / "a.safetensors", lora_of(small_lora()), how(dialect));
    return keys_of(folder / "a.safetensors");
  };
  const auto diffusers = keys(LoraDialect::diffusers);
  EXPECT_EQ(diffusers.size(), 12u);  // no alpha keys
  EXPECT_TRUE(diffusers.contains("unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.lora.down.weight"));
  EXPECT_TRUE(diffusers.contains("text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.up.weight"));
  const auto kohya = keys(LoraDialect::kohya);
  EXPECT_EQ(kohya.size(), 18u);
  EXPECT_TRUE(kohya.contains("lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.alpha"));
  EXPECT_TRUE(kohya.contains("lora_te2_text_model_encoder_layers_1_self_attn_v_proj.lora_up.weight"));
  EXPECT_TRUE(
      keys(LoraDialect::peft).contains("base_model.model.mid_block.attentions.0.transformer_blocks.1.attn2.to_k.lora_A.weight"));
}

TEST(LoraWriter, DiffusersIsToldOfAlphaOnlyWhereItIsNotTheRank) {
  const ScratchFolder folder;
  Modules modules = small_lora();
  for (auto& [component, layers] : modules)
    for (auto& [name, module] : layers) module.alpha = 3;
  write_lora(folder / "a.safetensors", lora_of(modules), how(LoraDialect::diffusers));
  EXPECT_FALSE(header_of(folder / "a.safetensors").contains("lora_adapter_metadata"));
  modules.at("unet").at("mid_block.attentions.0.transformer_blocks.1.attn2.to_k").alpha = 6;
  write_lora(folder / "a.safetensors", lora_of(modules), how(LoraDialect::diffusers));
  const auto fields = json::parse(header_of(folder / "a.safetensors").at("lora_adapter_metadata"));
  EXPECT_EQ(fields["unet.r"], 3);
  EXPECT_EQ(fields["unet.lora_alpha"], 3);
  EXPECT_EQ(fields["unet.alpha_pattern"], json({{"mid_block.attentions.0.transformer_blocks.1.attn2.to_k", 6}}));
  EXPECT_EQ(fields["text_encoder_2.target_modules"], json({"encoder.layers.1.self_attn.v_proj"}));
  EXPECT_EQ(fields.size(), 15u);  // five fields of each component: diffusers refuses unknown ones
}

TEST(LoraWriter, APeftFolderOfSeveralComponentsHasAFolderForEach) {
  const ScratchFolder folder;
  write_lora(folder / "peft", lora_of(mixed_lora()), how(LoraDialect::peft));
  for (const char* component : {"unet", "text_encoder", "text_encoder_2"}) {
    const auto lora = read_lora(folder / "peft" / component, model_targets());
    expect_bit_equal(lora.modules, {{component, mixed_lora().at(component)}});
  }
  expect_bit_equal(read_lora(folder / "peft", model_targets()).modules, mixed_lora());
}

TEST(LoraWriter, StoresHalfPrecisionAgainAsItWasRead) {
  const ScratchFolder folder;
  Tensors tensors;
  for (const auto& [key, tensor] : tensors_of(small_lora(), LoraDialect::kohya)) tensors[key] = tensor.to(at::kHalf);
  write_safetensors(folder / "half.safetensors", tensors);
  const auto lora = read_lora(folder / "half.safetensors", model_targets());
  write_lora(folder / "diffusers.safetensors", lora, how(LoraDialect::diffusers));
  write_lora(folder / "kohya.safetensors", read_lora(folder / "diffusers.safetensors", model_targets()), how(LoraDialect::kohya));
  const auto again = SafetensorsFile::open(folder / "kohya.safetensors");
  ASSERT_EQ(again->entries().size(), tensors.size());
  for (const auto& [key, tensor] : tensors) EXPECT_TRUE(at::equal(again->load(key), tensor)) << key;
}

TEST(LoraWriter, TheSameModulesAndMetadataAreTheSameBytes) {
  const ScratchFolder folder;
  for (const auto dialect : {LoraDialect::diffusers, LoraDialect::kohya, LoraDialect::peft}) {
    write_lora(folder / "a.safetensors", lora_of(mixed_lora()), how(dialect, {{"ss_seed", "1"}}));
    write_lora(folder / "b.safetensors", lora_of(mixed_lora()), how(dialect, {{"ss_seed", "1"}}));
    EXPECT_EQ(read_file(folder / "a.safetensors"), read_file(folder / "b.safetensors"));
  }
}

TEST(LoraWriter, WebuisSeeAnSdxlLoraWhateverTheMetadata) {
  const ScratchFolder folder;
  write_lora(folder / "a.safetensors", lora_of(small_lora()),
             how(LoraDialect::diffusers, {{"ss_network_alpha", "1"}, {"sshs_model_hash", "old"}}));
  const auto header = header_of(folder / "a.safetensors");
  EXPECT_EQ(header.at("format"), "pt");
  EXPECT_EQ(header.at("ss_base_model_version"), "sdxl_base_v1-0");
  EXPECT_EQ(header.at("ss_v2"), "False");
  EXPECT_EQ(header.at("ss_network_dim"), "3");
  EXPECT_EQ(header.at("ss_network_alpha"), "1");  // what the file said is kept
  EXPECT_EQ(header.at("sshs_model_hash"), SafetensorsFile::open(folder / "a.safetensors")->data_sha256());
  EXPECT_FALSE(header.contains("modelspec.hash_sha256"));
  write_lora(folder / "a.safetensors", lora_of(mixed_lora()), how(LoraDialect::kohya, {{"modelspec.sai_model_spec", "1.0.1"}}));
  const auto mixed = header_of(folder / "a.safetensors");
  EXPECT_EQ(mixed.at("ss_network_dim"), "Dynamic");
  EXPECT_EQ(mixed.at("modelspec.hash_sha256"), "0x" + mixed.at("sshs_model_hash"));
}

TEST(LoraWriter, LegacyHashIsThatOfAFileWithOnlyTheTrainingFields) {
  // kohya's own way: save with ss_* alone, hash 0x10000 bytes at 0x100000.
  const ScratchFolder folder;
  Modules modules = small_lora();
  auto& module = modules.at("unet").begin()->second;
  module.down = Generator(1).randn({4500, module.down.size(1)});
  module.up = Generator(2).randn({module.up.size(0), 4500});
  write_lora(folder / "a.safetensors", lora_of(modules), how(LoraDialect::kohya, {{"ss_seed", "1"}, {"other", "2"}}));
  const auto file = SafetensorsFile::open(folder / "a.safetensors");
  Tensors tensors;
  for (const auto& entry : file->entries()) tensors[entry.name] = file->load(entry);
  Metadata of_training;
  for (const auto& [key, value] : file->metadata())
    if (key.starts_with("ss_")) of_training[key] = value;
  write_safetensors(folder / "b.safetensors", tensors, of_training);
  const auto window = read_file(folder / "b.safetensors").substr(0x100000, 0x10000);
  ASSERT_EQ(window.size(), 0x10000u);
  EXPECT_EQ(file->metadata().at("sshs_legacy_hash"), sha256_hex(window).substr(0, 8));
}

TEST(LoraWriter, RefusesInOneLineWhatItCannotWrite) {
  const ScratchFolder folder;
  const auto message = [&](const std::function<void(Modules&)>& change, const std::string& out = "a.safetensors",
                           LoraDialect dialect = LoraDialect::kohya) {
    Modules modules = small_lora();
    change(modules);
    return message_of([&] { write_lora(folder / out, lora_of(modules), how(dialect)); });
  };
  const auto nothing = [](Modules&) {};
  const auto first = [](Modules& modules) -> LoraModule& { return modules.at("unet").begin()->second; };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {message([](Modules& modules) { modules.clear(); }), "no modules"},
      {message([](Modules& modules) { modules.at("unet").clear(); }), "no modules of unet"},
      {message([&](Modules& modules) { first(modules).up = first(modules).up * std::numeric_limits<float>::quiet_NaN(); }),
       "NaN"},
      {message([&](Modules& modules) { first(modules).alpha = 0; }), "alpha 0"},
      {message([&](Modules& modules) {
         first(modules).up = at::ones({64, 2});
       }),
       "expected [rank, in]"},
      {message([](Modules& modules) { modules["vae"] = modules.at("unet"); }), "component \"vae\""},
      {message(nothing, "a.bin"), "expected a .safetensors file"},
      {message(nothing, "folder", LoraDialect::diffusers), "try -o"},
      {message(nothing, "no/such/a.safetensors"), "does not exist"},
      {message(nothing, "no/such/folder", LoraDialect::peft), "does not exist"}};
  for (const auto& [text, what] : cases) {
    EXPECT_NE(text.find(what), std::string::npos) << text << " | " << what;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder / "."));
}

TEST(LoraWriter, APeftFolderTakesThePlaceOfTheOneBefore) {
  const ScratchFolder folder;
  const LoraFile unet = lora_of({{"unet", small_lora().at("unet")}});
  write_lora(folder / "peft", unet, how(LoraDialect::peft));
  std::ofstream(folder / "peft/README.md") << "mine";
  LoraFile other = unet;
  for (auto& [name, module] : other.modules.at("unet")) module.alpha = 2;
  write_lora(folder / "peft/", other, how(LoraDialect::peft));
  expect_bit_equal(read_lora(folder / "peft", model_targets()).modules, other.modules);
  EXPECT_EQ(read_file(folder / "peft/README.md"), "mine");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder / "."), {}), 1);
}

TEST(LoraWriter, APeftFolderIsNotMixedWithAnother) {
  const ScratchFolder folder;
  const LoraFile whole = lora_of(small_lora()), unet = lora_of({{"unet", small_lora().at("unet")}});
  const auto refused = [&](const LoraFile& lora, const char* out) {
    return message_of([&] { write_lora(folder / out, lora, how(LoraDialect::peft)); }).find("holds another adapter") !=
           std::string::npos;
  };
  write_lora(folder / "whole", whole, how(LoraDialect::peft));
  write_lora(folder / "unet", unet, how(LoraDialect::peft));
  EXPECT_TRUE(refused(unet, "whole"));
  EXPECT_TRUE(refused(whole, "unet"));
  EXPECT_TRUE(refused(lora_of({{"unet", small_lora().at("unet")}, {"text_encoder", small_lora().at("text_encoder")}}), "whole"));
  EXPECT_FALSE(refused(whole, "whole"));
}

}  // namespace negativa
