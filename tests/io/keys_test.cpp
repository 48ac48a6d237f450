#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "io/io_test.h"
#include "io/keys/diffusers_names.h"
#include "io/keys/kohya.h"
#include "io/keys/lora_names.h"
#include "io/keys/open_clip.h"
#include "io/keys/sgm_unet.h"
#include "io/keys/sgm_vae.h"

namespace negativa {

namespace {
using Names = std::vector<std::string>;

// A UNet as the published configurations describe it (sdxl.md 3.1): transformer depth of each level, 0 for none.
struct Published {
  const char* model;
  std::vector<int> depth;  // from the pixels down
  int mid_depth;
  std::vector<int> channels;  // only whether neighbours differ matters
};
const Published base = {"base", {0, 2, 10}, 10, {320, 640, 1280}};
const Published refiner = {"refiner", {0, 4, 4, 0}, 4, {384, 768, 1536, 1536}};

void add(Names& names, const std::string& module, bool bias = true) {
  names.push_back(module + ".weight");
  if (bias) names.push_back(module + ".bias");
}

void add_resnet(Names& names, const std::string& prefix, bool shortcut) {
  for (const char* child : {"norm1", "conv1", "time_emb_proj", "norm2", "conv2"}) add(names, prefix + child);
  if (shortcut) add(names, prefix + "conv_shortcut");
}

void add_attention(Names& names, const std::string& prefix, int depth) {
  if (depth == 0) return;
  for (const char* child : {"norm", "proj_in", "proj_out"}) add(names, prefix + child);
  for (int i = 0; i < depth; ++i) {
    const auto block = fmt::format("{}transformer_blocks.{}.", prefix, i);
    for (const char* child : {"norm1", "norm2", "norm3", "ff.net.0.proj", "ff.net.2", "attn1.to_out.0", "attn2.to_out.0"})
      add(names, block + child);
    for (const char* attention : {"attn1", "attn2"})
      for (const char* child : {".to_q", ".to_k", ".to_v"}) add(names, block + attention + child, false);
  }
}

Names unet_names(const Published& unet) {
  Names names;
  for (const char* module : {"conv_in", "conv_norm_out", "conv_out", "time_embedding.linear_1", "time_embedding.linear_2",
                             "add_embedding.linear_1", "add_embedding.linear_2"})
    add(names, module);
  const int levels = static_cast<int>(unet.depth.size());
  for (int i = 0; i < levels; ++i) {
    for (int j = 0; j < 2; ++j) {
      add_resnet(names, fmt::format("down_blocks.{}.resnets.{}.", i, j),
                 i > 0 && j == 0 && unet.channels[i] != unet.channels[i - 1]);
      add_attention(names, fmt::format("down_blocks.{}.attentions.{}.", i, j), unet.depth[i]);
    }
    if (i + 1 < levels) add(names, fmt::format("down_blocks.{}.downsamplers.0.conv", i));
    for (int j = 0; j < 3; ++j) {
      add_resnet(names, fmt::format("up_blocks.{}.resnets.{}.", i, j), true);
      add_attention(names, fmt::format("up_blocks.{}.attentions.{}.", i, j), unet.depth[levels - 1 - i]);
    }
    if (i + 1 < levels) add(names, fmt::format("up_blocks.{}.upsamplers.0.conv", i));
  }
  for (const char* resnet : {"mid_block.resnets.0.", "mid_block.resnets.1."}) add_resnet(names, resnet, false);
  add_attention(names, "mid_block.attentions.0.", unet.mid_depth);
  return names;
}

Names text_modules(int layers) {
  Names modules;
  for (int i = 0; i < layers; ++i)
    for (const char* child :
         {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2"})
      modules.push_back(fmt::format("text_model.encoder.layers.{}.{}", i, child));
  return modules;
}

// The linear modules inside transformers: what kohya trains by default, and of these the attention projections, diffusers'
// target.
Names transformer_linears(const Names& names, bool attention_only) {
  Names modules;
  for (const auto& name : names) {
    const bool is_norm = name.find("norm") != std::string::npos;
    if (!name.ends_with(".weight") || name.find(".attentions.") == std::string::npos || is_norm) continue;
    if (attention_only && name.find(".to_") == std::string::npos) continue;
    modules.push_back(name.substr(0, name.size() - std::string(".weight").size()));
  }
  return modules;
}
}  // namespace

TEST(SgmUNet, MapsEveryKeyOfBothModelsToOneNameAndBack) {  // sdxl.md 3.1: 1680 and 1220 tensors; pitfall 47
  for (const auto& unet : {base, refiner}) {
    SCOPED_TRACE(unet.model);
    const auto ours = unet_names(unet);
    ASSERT_EQ(ours.size(), std::string(unet.model) == "base" ? 1680u : 1220u);
    const KeyMap to_theirs(sgm_unet_pairs(unet_layout(ours)), KeyMap::to_theirs);
    Names theirs;
    for (const auto& name : ours) {
      const auto found = to_theirs.find(name);
      ASSERT_EQ(found.size(), 1u) << name;
      theirs.push_back(found[0].theirs);
    }
    EXPECT_EQ(std::set<std::string>(theirs.begin(), theirs.end()).size(), ours.size());
    // A file is read knowing its own names only.
    const KeyMap to_ours(sgm_unet_pairs(sgm_unet_layout(theirs)), KeyMap::to_ours);
    for (size_t i = 0; i < ours.size(); ++i) {
      const auto found = to_ours.find(theirs[i]);
      ASSERT_EQ(found.size(), 1u) << theirs[i];
      EXPECT_EQ(found[0].ours, ours[i]);
    }
  }
}

TEST(SgmUNet, AgreesWithDiffusersConverter) {  // tests/golden/sgm_unet_names.txt: tools/goldens_io.py
  std::map<std::string, KeyMap> maps;
  for (const auto& unet : {base, refiner})
    maps.emplace(unet.model, KeyMap(sgm_unet_pairs(unet_layout(unet_names(unet))), KeyMap::to_theirs));
  std::ifstream file(golden("sgm_unet_names.txt"));
  int lines = 0;
  for (std::string model, ours, theirs; file >> model >> ours >> theirs; ++lines) {
    const auto found = maps.at(model).find(ours);
    ASSERT_EQ(found.size(), 1u) << ours;
    EXPECT_EQ(found[0].theirs, theirs) << model;
  }
  EXPECT_EQ(lines, 332);
}

TEST(SgmUNet, DoesNotKnowNamesThatNoModelHas) {
  const KeyMap map(sgm_unet_pairs(unet_layout(unet_names(base))), KeyMap::to_ours);
  for (const char* name : {"input_blocks.9.0.in_layers.0.weight", "input_blocks.1.1.norm.weight",
                           "middle_block.3.in_layers.0.weight", "output_blocks.8.2.conv.weight", "time_embed.1.weight", ""})
    EXPECT_TRUE(map.find(name).empty()) << name;
}

TEST(SgmVae, ReversesTheDecodersLevelsAndSqueezesItsAttention) {  // sdxl.md 10.2; pitfall 59
  Names ours;
  for (const char* half : {"encoder.down_blocks", "decoder.up_blocks"})
    for (int i = 0; i < 4; ++i)
      for (int j = 0; j < (half[0] == 'e' ? 2 : 3); ++j) ours.push_back(fmt::format("{}.{}.resnets.{}.conv1.weight", half, i, j));
  const KeyMap map(sgm_vae_pairs(vae_layout(ours)), KeyMap::to_theirs);
  const auto theirs = [&](const char* name) { return map.find(name).at(0).theirs; };
  EXPECT_EQ(theirs("decoder.up_blocks.0.resnets.2.conv_shortcut.bias"), "decoder.up.3.block.2.nin_shortcut.bias");
  EXPECT_EQ(theirs("decoder.up_blocks.2.upsamplers.0.conv.weight"), "decoder.up.1.upsample.conv.weight");
  EXPECT_EQ(theirs("encoder.down_blocks.1.downsamplers.0.conv.weight"), "encoder.down.1.downsample.conv.weight");
  EXPECT_EQ(theirs("encoder.mid_block.resnets.1.norm1.weight"), "encoder.mid.block_2.norm1.weight");
  EXPECT_EQ(theirs("decoder.mid_block.attentions.0.to_out.0.weight"), "decoder.mid.attn_1.proj_out.weight");
  EXPECT_EQ(theirs("decoder.conv_norm_out.weight"), "decoder.norm_out.weight");
  EXPECT_TRUE(map.find("decoder.mid_block.attentions.0.to_q.weight").at(0).squeeze);
}

TEST(OpenClip, SplitsTheFusedProjectionInTheOrderQKV) {  // sdxl.md 10.2; pitfall 58
  EXPECT_EQ(open_clip_layers({"transformer.resblocks.0.ln_1.weight", "transformer.resblocks.1.ln_1.weight", "ln_final.weight"}),
            2);
  const KeyMap map(open_clip_pairs(32), KeyMap::to_ours);
  const auto thirds = map.find("transformer.resblocks.31.attn.in_proj_bias");
  ASSERT_EQ(thirds.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(thirds[i].ours, fmt::format("text_model.encoder.layers.31.self_attn.{}_proj.bias", "qkv"[i]));
    EXPECT_EQ(thirds[i].third, i);
  }
  EXPECT_TRUE(map.find("text_projection").at(0).transpose);
  EXPECT_EQ(map.find("positional_embedding").at(0).ours, "text_model.embeddings.position_embedding.weight");
  EXPECT_EQ(map.find("transformer.resblocks.3.mlp.c_fc.weight").at(0).ours, "text_model.encoder.layers.3.mlp.fc1.weight");
}

TEST(DiffusersNames, BringOldAndNewSpellingsToOurs) {
  const auto ours = [](const char* part, const char* name) { return from_diffusers_name(part, name)->ours; };
  EXPECT_EQ(ours("text_encoder", "encoder.layers.0.mlp.fc1.weight"), "text_model.encoder.layers.0.mlp.fc1.weight");
  EXPECT_EQ(ours("text_encoder_2", "text_model.final_layer_norm.bias"), "text_model.final_layer_norm.bias");
  EXPECT_EQ(ours("text_encoder_2", "text_projection.weight"), "text_projection.weight");
  EXPECT_EQ(ours("vae", "decoder.mid_block.attentions.0.proj_attn.bias"), "decoder.mid_block.attentions.0.to_out.0.bias");
  EXPECT_EQ(ours("vae", "decoder.mid_block.attentions.0.group_norm.bias"), "decoder.mid_block.attentions.0.group_norm.bias");
  EXPECT_FALSE(from_diffusers_name("text_encoder", "text_model.embeddings.position_ids"));
  EXPECT_FALSE(from_diffusers_name("text_encoder_2", "logit_scale"));
  EXPECT_FALSE(from_diffusers_name("text_encoder", "text_projection.weight"));
}

TEST(LoraNames, NameEveryModuleThatKohyaAndDiffusersTrain) {  // sdxl.md 8.1, 8.3; pitfall 47
  const auto names = unet_names(base);
  const auto layout = unet_layout(names);
  const auto unet = transformer_linears(names, false);
  EXPECT_EQ(unet.size(), 722u);
  EXPECT_EQ(transformer_linears(names, true).size(), 560u);
  EXPECT_EQ(text_modules(12).size(), 72u);
  EXPECT_EQ(text_modules(32).size(), 192u);
  for (const auto dialect : {LoraDialect::diffusers, LoraDialect::kohya, LoraDialect::peft}) {
    std::set<std::string> seen;  // every spelling of every tensor belongs to one tensor
    size_t count = 0;
    for (const auto side : {LoraSide::down, LoraSide::up, LoraSide::alpha, LoraSide::magnitude})
      for (const auto& [component, modules] :
           std::map<std::string, Names>{{"unet", unet}, {"text_encoder", text_modules(12)}, {"text_encoder_2", text_modules(32)}})
        for (const auto& module : modules) {
          const auto spellings = lora_names(dialect, component, module, side, layout);
          EXPECT_FALSE(spellings.empty());
          seen.insert(spellings.begin(), spellings.end());
          count += spellings.size();
        }
    EXPECT_EQ(seen.size(), count);
  }
}

TEST(LoraNames, SpellKohyaAsKohyaDoes) {  // sdxl.md 8.2, 8.3
  const auto layout = unet_layout(unet_names(base));
  EXPECT_EQ(kohya_lora_names("unet", "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0", LoraSide::down, layout),
            (Names{"lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_out_0.lora_down.weight",
                   "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_out_0.lora_down.weight"}));
  EXPECT_EQ(kohya_lora_names("unet", "mid_block.attentions.0.proj_in", LoraSide::alpha, layout)[0],
            "lora_unet_middle_block_1_proj_in.alpha");
  EXPECT_EQ(kohya_lora_names("unet", "up_blocks.1.attentions.2.proj_out", LoraSide::up, layout)[0],
            "lora_unet_output_blocks_5_1_proj_out.lora_up.weight");
  EXPECT_EQ(kohya_lora_names("unet", "up_blocks.0.upsamplers.0.conv", LoraSide::up, layout)[0],
            "lora_unet_output_blocks_2_2_conv.lora_up.weight");
  EXPECT_EQ(
      kohya_lora_names("text_encoder", "text_model.encoder.layers.0.mlp.fc1", LoraSide::magnitude, layout),
      (Names{"lora_te1_text_model_encoder_layers_0_mlp_fc1.dora_scale", "lora_te_text_model_encoder_layers_0_mlp_fc1.dora_scale",
             "lora_te1_encoder_layers_0_mlp_fc1.dora_scale", "lora_te_encoder_layers_0_mlp_fc1.dora_scale"}));
  error_of(ErrorKind::input, [&] { kohya_lora_names("vae", "x", LoraSide::up, layout); });
}

TEST(LoraNames, SpellDiffusersOfEveryYear) {  // sdxl.md 8.2
  EXPECT_EQ(diffusers_lora_names("unet", "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0", LoraSide::down),
            (Names{"unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0.lora.down.weight",
                   "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0.lora_A.weight",
                   "unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.down.weight",
                   "mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.down.weight"}));
  EXPECT_EQ(diffusers_lora_names("unet", "mid_block.attentions.0.proj_in", LoraSide::up),
            (Names{"unet.mid_block.attentions.0.proj_in.lora.up.weight", "unet.mid_block.attentions.0.proj_in.lora_B.weight"}));
  const auto text = diffusers_lora_names("text_encoder", "text_model.encoder.layers.3.self_attn.q_proj", LoraSide::up);
  EXPECT_EQ(text[0], "text_encoder.text_model.encoder.layers.3.self_attn.q_proj.lora_linear_layer.up.weight");
  for (const char* old : {"text_encoder.text_model.encoder.layers.3.self_attn.to_q_lora.up.weight",
                          "text_encoder.encoder.layers.3.self_attn.q_proj.lora_linear_layer.up.weight",
                          "text_encoder.encoder.layers.3.self_attn.q_proj.lora_B.weight"})
    EXPECT_NE(std::find(text.begin(), text.end(), old), text.end()) << old;
  EXPECT_EQ(peft_lora_names("unet", "conv_in", LoraSide::down),
            (Names{"base_model.model.conv_in.lora_A.weight", "base_model.model.conv_in.lora_A.default.weight",
                   "unet.base_model.model.conv_in.lora_A.weight", "unet.base_model.model.conv_in.lora_A.default.weight",
                   "conv_in.lora_A.weight", "conv_in.lora_A.default.weight"}));
}

}  // namespace negativa
