// Nothing is dropped in silence: what does not fit is an error that names it and guesses what the file is for.
#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

const std::string fitting = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q";

Tensors pair(const std::string& stem, int64_t in, int64_t out) {
  return {{stem + ".lora_down.weight", at::ones({2, in})}, {stem + ".lora_up.weight", at::ones({out, 2})}};
}

Tensors with_fitting(Tensors tensors) {
  tensors.merge(pair(fitting, 64, 64));
  return tensors;
}

std::string error_of(const Tensors& tensors, bool allow_unmatched = false) {
  return message_of([&] { write_and_read(tensors, {}, allow_unmatched); });
}

}  // namespace

struct ForeignFile {
  const char* name;
  Tensors tensors;
  const char* guess;
};

void PrintTo(const ForeignFile& file, std::ostream* out) { *out << file.name; }

class ForeignLora : public ::testing::TestWithParam<ForeignFile> {};

TEST_P(ForeignLora, IsRefusedWithAGuessWhatItIs) {
  const auto message = error_of(GetParam().tensors);
  EXPECT_NE(message.find(GetParam().guess), std::string::npos) << message;
  EXPECT_NE(message.find("lora.safetensors"), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

// Key names: features.md C4-C6, sdxl.md 8.2 and 8.3.
INSTANTIATE_TEST_SUITE_P(
    Files, ForeignLora,
    ::testing::Values(
        ForeignFile{"StableDiffusion1", pair("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", 768, 320),
                    "Stable Diffusion 1.x"},
        ForeignFile{"StableDiffusion1Shapes",
                    pair("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k", 768, 640),
                    "Stable Diffusion 1.x"},
        ForeignFile{"StableDiffusion1Text", pair("lora_te_text_model_encoder_layers_11_self_attn_q_proj", 768, 768),
                    "Stable Diffusion 1.x"},
        ForeignFile{"StableDiffusion2", pair("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", 1024, 320),
                    "Stable Diffusion 2.x"},
        ForeignFile{"FullSizeSdxl", pair("lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k", 2048, 640),
                    "full-size SDXL"},
        ForeignFile{"SdxlOfAnotherSize", pair("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", 320, 64),
                    "SDXL of another size"},
        ForeignFile{"FluxKohya", pair("lora_unet_double_blocks_0_img_attn_qkv", 3072, 9216), "Flux"},
        ForeignFile{
            "FluxDiffusers", {{"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight", at::ones({2, 8})}}, "Flux"},
        ForeignFile{"StableDiffusion3", pair("lora_unet_joint_blocks_0_x_block_attn_qkv", 1536, 4608), "Stable Diffusion 3"},
        ForeignFile{"Ia3OfPeft", {{"base_model.model.mid_block.attentions.0.proj_in.ia3_l", at::ones({128, 1})}}, "IA3"},
        ForeignFile{"Oft", {{fitting + ".oft_blocks", at::ones({2, 8, 8})}}, "OFT or BOFT adapter, whose file does not say"},
        ForeignFile{"Boft", with_fitting({{fitting + ".oft_blocks", at::ones({2, 2, 8, 8})}}), "OFT or BOFT adapter"},
        ForeignFile{"OftDiagonal", {{fitting + ".oft_diag", at::ones({2, 8, 8})}}, "early LyCORIS"},
        ForeignFile{"OftOfPeft",
                    {{"base_model.model.mid_block.attentions.0.proj_in.oft_R.weight", at::ones({2, 8, 8})}},
                    "OFT adapter of peft"},
        ForeignFile{"BoftOfPeft",
                    {{"base_model.model.mid_block.attentions.0.proj_in.boft_R", at::ones({2, 8, 8})}},
                    "BOFT adapter of peft"},
        ForeignFile{"VeRA", {{"base_model.model.mid_block.attentions.0.proj_in.vera_lambda_b", at::ones({128})}}, "VeRA"},
        ForeignFile{"AdaLora", {{"base_model.model.mid_block.attentions.0.proj_in.lora_E", at::ones({4, 1})}}, "AdaLoRA"},
        ForeignFile{"LoKrTuckerOfTheFirstHalf", {{fitting + ".lokr_t1", at::ones({2, 2})}}, "lokr_t1"},
        ForeignFile{"SetWeight", {{fitting + ".set_weight", at::ones({64, 64})}}, "set_weight"},
        ForeignFile{"IpAdapter", {{"ip_adapter.1.to_k_ip.weight", at::ones({4, 4})}}, "IP-Adapter"},
        ForeignFile{"Embedding", {{"clip_l", at::ones({2, 64})}, {"clip_g", at::ones({2, 96})}}, "embedding"},
        ForeignFile{"Checkpoint", {{"model.diffusion_model.out.2.bias", at::ones({4})}}, "whole checkpoint"},
        ForeignFile{"ModelPart", {{"mid_block.attentions.0.proj_in.weight", at::ones({128, 128})}}, "whole model"},
        ForeignFile{"ControlNet", {{"controlnet_cond_embedding.conv_in.bias", at::ones({16})}}, "ControlNet"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(LoraCoverage, NamesAndCountsKeysThatFitNothing) {
  Tensors tensors = with_fitting({});
  for (int i = 0; i < 5; ++i) tensors.merge(pair(fmt::format("lora_unet_nowhere_{}", i), 4, 4));
  const auto message = error_of(tensors);
  EXPECT_NE(message.find("10 keys"), std::string::npos) << message;
  EXPECT_NE(message.find("lora_unet_nowhere_0.lora_down.weight"), std::string::npos) << message;
  EXPECT_NE(message.find("and 7 more"), std::string::npos) << message;
  EXPECT_NE(message.find("--allow-unmatched"), std::string::npos) << message;
}

TEST(LoraCoverage, SkipsAndReportsThemWhenAllowed) {
  const auto lora = write_and_read(with_fitting(pair("lora_unet_nowhere", 4, 4)), {}, true);
  EXPECT_EQ(lora.coverage.unmatched,
            (std::vector<std::string>{"lora_unet_nowhere.lora_down.weight", "lora_unet_nowhere.lora_up.weight"}));
  EXPECT_EQ(lora.coverage.matched.at("unet"), 2);
  EXPECT_EQ(lora.modules.at("unet").size(), 1u);
}

TEST(LoraCoverage, RefusesFilesInWhichNothingFitsEvenWhenAllowed) {
  EXPECT_NE(error_of(pair("lora_unet_nowhere", 4, 4), true).find("none of which fits"), std::string::npos);
  EXPECT_NE(error_of({}, true), "");
}

TEST(LoraCoverage, RefusesADorasMagnitudesWithoutItsMatricesAlways) {
  // Under the names of layers that are known and of none; every spelling that files have.
  const std::string stems[] = {"lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_v",
                               "lora_unet_input_blocks_1_0_in_layers_2",
                               "unet.mid_block.attentions.0.proj_in",
                               "unet.conv_in",
                               "base_model.model.mid_block.attentions.0.proj_in",
                               "mid_block.resnets.0.conv1",
                               "text_encoder.text_model.encoder.layers.0.mlp.fc1",
                               "nowhere"};
  const std::string keys[] = {".dora_scale",
                              ".lora_magnitude_vector",
                              ".lora_magnitude_vector.weight",
                              ".lora_magnitude_vector.default",
                              ".lora_magnitude_vector.default.weight",
                              ".lora_magnitude_vector.my_style.weight",
                              ".lora.magnitude_vector",
                              ".magnitude"};
  for (size_t i = 0; i < std::size(stems); ++i)
    for (size_t j = 0; j < std::size(keys); ++j) {
      const std::string key = stems[i] + keys[j];
      const auto message = error_of(with_fitting({{key, at::ones({64, 1})}}),
                                    (i + j) % 2 == 0);  // each stem and each key with and without --allow-unmatched
      EXPECT_NE(message.find("is a DoRA"), std::string::npos) << key << ": " << message;
      EXPECT_NE(message.find(key), std::string::npos) << message;
    }
  // Said by the config alone, which may leave the rest to its defaults.
  for (const char* config : {R"({"unet.use_dora": true})", R"({"use_dora": true, "lora_alpha": 8})"})
    EXPECT_NE(message_of([&] {
                write_and_read(with_fitting({}), {{"lora_adapter_metadata", config}}, true);
              }).find("DoRA"),
              std::string::npos)
        << config;
}

TEST(LoraCoverage, RemarksOnFilesThatFitThoughTheyWereMadeForSomethingElse) {
  const auto remark = [](const Tensors& tensors) { return write_and_read(tensors).coverage.remark; };
  EXPECT_EQ(remark(with_fitting({})), "");
  const std::string text = "_text_model_encoder_layers_0_self_attn_q_proj";
  EXPECT_NE(remark(pair("lora_te" + text, 64, 64)).find("Stable Diffusion 1.x"), std::string::npos);
  EXPECT_EQ(remark(pair("lora_te1" + text, 64, 64)), "");
  EXPECT_EQ(remark(with_fitting(pair("lora_te" + text, 64, 64))), "") << "a UNet of SDXL's is there, so it is SDXL's";
  EXPECT_NE(remark({{fitting + ".lora_A.weight", at::ones({2, 64})}, {fitting + ".lora_B.weight", at::ones({64, 2})}})
                .find("peft's suffixes"),
            std::string::npos);
}

TEST(LoraCoverage, ReadsPeftsSuffixesUnderKohyasNamesAsKohyas) {
  for (size_t spelling = 0; spelling < 4; ++spelling) {
    Tensors tensors;
    for (const auto& [key, tensor] : tensors_of(small_lora(), LoraDialect::kohya, spelling)) {
      std::string name = key;
      for (const auto& [theirs, pefts] : {std::pair{".lora_down.", ".lora_A."}, std::pair{".lora_up.", ".lora_B."}})
        if (const auto at = name.find(theirs); at != std::string::npos) name.replace(at, std::string_view(theirs).size(), pefts);
      tensors[name] = tensor;
    }
    const auto lora = write_and_read(tensors);
    expect_same_deltas(lora.modules, small_lora());
    EXPECT_EQ(lora.dialect, LoraDialect::kohya);
  }
}

TEST(LoraCoverage, NamesTheLayerWhoseTensorsCannotBeUsed) {
  const std::string layer = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q";
  const auto down = fitting + ".lora_down.weight", up = fitting + ".lora_up.weight";
  Tensors nan = with_fitting({});
  nan[up] = at::full({64, 2}, std::numeric_limits<float>::quiet_NaN());
  Tensors twice = {{"base_model.model." + layer + ".lora_A.weight", at::ones({2, 64})}};
  for (const char* name : {".lora_A.weight", ".lora_B.weight"})
    twice["unet." + layer + name] = at::ones(name[6] == 'A' ? Shape{2, 64} : Shape{64, 2});
  const std::vector<std::pair<Tensors, std::string>> cases = {
      {{{down, at::ones({2, 64})}}, "no up matrix"},
      {{{up, at::ones({64, 2})}}, "no down matrix"},
      {{{down, at::ones({2, 60})}, {up, at::ones({64, 2})}}, "expected [rank, 64]"},
      {{{down, at::ones({2, 64})}, {up, at::ones({60, 2})}}, "expected [64, 2]"},
      {{{down, at::ones({2, 64})}, {up, at::ones({64, 3})}}, "rank 2, up has rank 3"},
      {{{down, at::ones({2, 64}, at::kInt)}, {up, at::ones({64, 2})}}, "floating-point"},
      {with_fitting({{fitting + ".alpha", at::ones({2})}}), "alpha"},
      {with_fitting({{fitting + ".alpha", at::scalar_tensor(std::numeric_limits<float>::infinity())}}), "NaN or infinity"},
      {nan, "NaN or infinity"},
      {twice, "twice"}};
  for (const auto& [tensors, text] : cases)
    for (const bool allow : {false, true}) {
      const auto message = error_of(tensors, allow);
      EXPECT_NE(message.find(layer), std::string::npos) << message;
      EXPECT_NE(message.find(text), std::string::npos) << message;
    }
}

TEST(LoraCoverage, RefusesDamagedPicklesWithOneLine) {
  const ScratchFolder folder;
  for (const char* name : {"lora.bin", "lora.pt", "lora.ckpt", "lora.pth"}) {
    std::ofstream(folder / name) << "PK";
    const auto message = message_of([&] { read_lora(folder / name, model_targets()); });
    EXPECT_NE(message.find("is truncated, download it again"), std::string::npos) << message;
  }
  for (const char* name : {"adapter_model.bin", "pytorch_lora_weights.bin"}) {
    std::filesystem::create_directories(folder / name);
    std::ofstream(folder / name / name) << "PK";
    const auto message = message_of([&] { read_lora(folder / name, model_targets()); });
    EXPECT_NE(message.find("is truncated, download it again"), std::string::npos) << message;
  }
}

TEST(LoraCoverage, CallsAFileThatIsNoSafetensorsByItsName) {
  const ScratchFolder folder;
  for (const auto& [bytes, what] : {std::pair{"version https://git-lfs.github.com/spec/v1\noid", "git-LFS"},
                                    {"<!DOCTYPE html>", "web page"},
                                    {"GGUF\3\1\1\1", "GGUF"},
                                    {"\x80\4\x95\1\1\1\1\1\1", "pickle"},
                                    {"\xff\xd8\xff\xe0\1\1", "JPEG"},
                                    {"\x89PNG\r\n\x1a\n", "PNG"}}) {
    std::ofstream(folder / "lora.safetensors") << bytes;
    for (const bool allow : {false, true}) {
      const auto message = message_of([&] { read_lora(folder / "lora.safetensors", model_targets(), allow); });
      EXPECT_NE(message.find(what), std::string::npos) << message;
    }
  }
}

TEST(LoraCoverage, RefusesBrokenAdapterMetadata) {
  const Tensors tensors = {{"unet.mid_block.attentions.0.proj_in.lora_A.weight", at::ones({2, 128})},
                           {"unet.mid_block.attentions.0.proj_in.lora_B.weight", at::ones({128, 2})}};
  for (const char* json :
       {"[1]", "{", R"({"unet.lora_alpha": "8"})", R"({"unet.lora_alpha": 8, "unet.alpha_pattern": {"to_[qk]": 2}})"})
    EXPECT_NE(message_of([&] { write_and_read(tensors, {{"lora_adapter_metadata", json}}); }), "") << json;
  EXPECT_NE(message_of([&] {
              write_and_read(tensors, {{"lora_adapter_metadata", R"({"unet.lora_alpha": 8, "unet.use_dora": true})"}});
            }).find("DoRA"),
            std::string::npos);
}

}  // namespace negativa
