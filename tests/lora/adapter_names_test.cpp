// Every name that trainers give an adapter's tensors: prefixes x styles x suffixes, all combinations.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "lora/key_index.h"
#include "lora/merge_weights.h"
#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

struct Sides {
  const char *down, *up;
};
constexpr Sides sides[] = {{".lora_down.weight", ".lora_up.weight"},
                           {".lora_A.weight", ".lora_B.weight"},
                           {".lora_A.default.weight", ".lora_B.default.weight"},
                           {".lora.down.weight", ".lora.up.weight"},
                           {".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"},
                           {"_lora.down.weight", "_lora.up.weight"}};

constexpr size_t styles = 6;  // the most spellings that a layer has

// Its file under that prefix, with spelling number `style` of each layer (the last where there are fewer).
Tensors file_of(const Modules& lora, const AdapterPrefix& prefix, size_t style, const Sides& side) {
  const LayerNames names(model_targets().layout);
  Tensors tensors;
  for (const auto& [component, layers] : lora)
    for (const auto& [name, module] : layers) {
      const auto spellings = names.of(component, name);
      const std::string stem = prefix.text + spellings[std::min(style, spellings.size() - 1)].text;
      tensors[stem + side.down] = module.down;
      tensors[stem + side.up] = module.up;
      tensors[stem + ".alpha"] = at::scalar_tensor(module.alpha, at::kFloat);
    }
  return tensors;
}

// The parts of `lora` that one file under the prefix can be about.
std::vector<Modules> parts_under(const Modules& lora, const AdapterPrefix& prefix) {
  std::vector<Modules> parts;
  for (const auto& [component, layers] : lora)
    if (!prefix.component || component == prefix.component) parts.push_back({{component, layers}});
  return parts;
}

const LoraKeyIndex& index_of_model() {
  static const LoraKeyIndex index(model_targets());
  return index;
}

}  // namespace

TEST(AdapterNames, FilesUnderEveryPrefixStyleAndSuffixAreTheSameLora) {
  const auto lora = small_lora();
  size_t file = 0;
  for (const auto& prefix : adapter_prefixes())
    for (const auto& part : parts_under(lora, prefix)) {
      const size_t style = file % styles, side = file / styles % std::size(sides);
      SCOPED_TRACE(fmt::format("{}, spelling {}, {}", prefix.text, style, sides[side].down));
      expect_same_deltas(write_and_read(file_of(part, prefix, style, sides[side])).modules, part);
      ++file;
    }
}

TEST(AdapterNames, EverySpellingOfEveryLayerWithEverySuffixIsThatLayerAlone) {
  const auto& suffixes = adapter_suffixes();
  size_t key = 0;
  const LayerNames names(model_targets().layout);
  for (const auto& [component, layers] : model_targets().components)
    for (const auto& prefix : adapter_prefixes()) {
      if (!prefix.component || component != prefix.component) continue;
      for (const auto& layer : layers)
        for (const auto& name : names.of(component, layer.name)) {
          const auto& suffix = suffixes[key++ % suffixes.size()];
          const auto places = index_of_model().find(prefix.text + name.text + suffix.text);
          ASSERT_EQ(places.size(), 1u) << prefix.text << name.text << suffix.text;
          EXPECT_EQ(places[0].piece, suffix.piece);
          EXPECT_EQ(places[0].component, component);
          EXPECT_EQ(places[0].target->name, layer.name);
        }
    }
}

// Keys as they stand in files of each trainer.
TEST(AdapterNames, KeysOfTrainersAreTheirLayers) {
  struct Known {
    const char *key, *component, *layer, *piece;
  };
  const std::string block = "down_blocks.1.attentions.0.transformer_blocks.0.";
  const std::string q = block + "attn1.to_q", out = block + "attn1.to_out.0", ff = block + "ff.net.0.proj";
  const std::string te = "text_model.encoder.layers.0.self_attn.q_proj", fc = "text_model.encoder.layers.1.mlp.fc1";
  const std::vector<Known> known = {
      // kohya-ss, with and without convolutions; LyCORIS through kohya
      {"lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_out_0.lora_down.weight", "unet", out.c_str(), "lora_down"},
      {"lora_unet_input_blocks_4_0_in_layers_2.lora_mid.weight", "unet", "down_blocks.1.resnets.0.conv1", "lora_mid"},
      {"lora_unet_input_blocks_4_0_out_layers_3.hada_t1", "unet", "down_blocks.1.resnets.0.conv2", "hada_t1"},
      {"lora_unet_input_blocks_4_0_skip_connection.lokr_w2_a", "unet", "down_blocks.1.resnets.0.conv_shortcut", "lokr_w2_a"},
      {"lora_unet_input_blocks_4_0_emb_layers_1.dora_scale", "unet", "down_blocks.1.resnets.0.time_emb_proj", "dora_scale"},
      {"lora_unet_input_blocks_3_0_op.diff", "unet", "down_blocks.0.downsamplers.0.conv", "diff"},
      {"lora_unet_input_blocks_0_0.diff_b", "unet", "conv_in", "diff_b"},
      {"lora_unet_time_embed_0.lora_up.weight", "unet", "time_embedding.linear_1", "lora_up"},
      {"lora_unet_label_emb_0_2.alpha", "unet", "add_embedding.linear_2", "alpha"},
      {"lora_unet_input_blocks_4_1_norm.w_norm", "unet", "down_blocks.1.attentions.0.norm", "diff"},
      {"lora_unet_middle_block_0_out_layers_0.b_norm", "unet", "mid_block.resnets.0.norm2", "diff_b"},
      {"lora_unet_out_2.on_input", "unet", "conv_out", "on_input"},
      {"lora_te1_text_model_encoder_layers_0_self_attn_q_proj.a1.weight", "text_encoder", te.c_str(), "a1.weight"},
      {"lora_te2_text_model_encoder_layers_1_mlp_fc1.lora_down.weight", "text_encoder_2", fc.c_str(), "lora_down"},
      // LCM-LoRA, DMD2 and diffusers' conversion to kohya: its prefix with diffusers' blocks
      {"lora_unet_down_blocks_1_resnets_0_conv1.lora_down.weight", "unet", "down_blocks.1.resnets.0.conv1", "lora_down"},
      {"lora_unet_conv_in.lora_up.weight", "unet", "conv_in", "lora_up"},
      // diffusers of each year
      {"unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight", "unet", q.c_str(),
       "lora_down"},
      {"unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora.up.weight", "unet", out.c_str(),
       "lora_up"},
      {"unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.lora.down.weight", "unet", q.c_str(), "lora_down"},
      {"unet.down_blocks.1.resnets.0.conv1.lora_A.weight", "unet", "down_blocks.1.resnets.0.conv1", "lora_down"},
      {"text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora.down.weight", "text_encoder", te.c_str(), "lora_down"},
      {"text_encoder_2.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.up.weight", "text_encoder_2", te.c_str(),
       "lora_up"},
      {"text_encoder.encoder.layers.1.mlp.fc1.lora_B.weight", "text_encoder", fc.c_str(), "lora_up"},
      // peft
      {"base_model.model.down_blocks.1.attentions.0.transformer_blocks.0.ff.net.0.proj.lora_A.default.weight", "unet", ff.c_str(),
       "lora_down"},
      {"base_model.model.down_blocks.1.resnets.0.conv1.lora_magnitude_vector", "unet", "down_blocks.1.resnets.0.conv1",
       "magnitude"},
      // OneTrainer: legacy, dotted, OMI
      {"lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight", "unet", q.c_str(), "lora_down"},
      {"lora_unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.hada_w1_a", "unet", q.c_str(), "hada_w1_a"},
      {"lora_te1.text_model.encoder.layers.0.self_attn.q_proj.dora_scale", "text_encoder", te.c_str(), "dora_scale"},
      {"unet.input_blocks.4.1.transformer_blocks.0.attn1.to_q.lora_up.weight", "unet", q.c_str(), "lora_up"},
      {"clip_g.text_model.encoder.layers.1.mlp.fc1.lora_down.weight", "text_encoder_2", fc.c_str(), "lora_down"},
      // ComfyUI's LoraSave and its nodes that extract
      {"diffusion_model.input_blocks.4.1.transformer_blocks.0.attn1.to_q.lora_down.weight", "unet", q.c_str(), "lora_down"},
      {"diffusion_model.input_blocks.4.0.in_layers.0.diff", "unet", "down_blocks.1.resnets.0.norm1", "diff"},
      {"text_encoders.clip_l.transformer.text_model.encoder.layers.0.self_attn.q_proj.lora_up.weight", "text_encoder", te.c_str(),
       "lora_up"},
      // LyCORIS by itself, SimpleTuner, ai-toolkit
      {"lycoris_down_blocks_1_resnets_0_conv1.lokr_t2", "unet", "down_blocks.1.resnets.0.conv1", "lokr_t2"},
      {"lycoris_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q.hada_w2_b", "unet", q.c_str(), "hada_w2_b"},
      {"lycoris_text_encoder_2_text_model_encoder_layers_1_mlp_fc1.diff", "text_encoder_2", fc.c_str(), "diff"},
      {"unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.lokr_w1", "unet", q.c_str(), "lokr_w1"},
      {"text_projection.alpha", "text_encoder_2", "text_projection", "alpha"}};
  for (const auto& [key, component, layer, piece] : known) {
    const auto places = index_of_model().find(key);
    ASSERT_FALSE(places.empty()) << key;
    EXPECT_EQ(places[0].component, component) << key;
    EXPECT_EQ(places[0].target->name, layer) << key;
    EXPECT_EQ(places[0].piece, piece) << key;
  }
}

TEST(AdapterNames, OfALayerNamedInBothWaysDiffusersCountsAndASecondNameIsNoticed) {
  const std::string layer = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q";
  const Modules theirs = {{"unet", {{layer, {at::ones({2, 64}), at::ones({64, 2}), 2}}}}};
  Tensors tensors = file_of(theirs, adapter_prefixes()[0], 0, sides[0]);
  const std::string other = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q";
  tensors[other + ".lora_down.weight"] = at::zeros({3, 64});
  tensors[other + ".lora_up.weight"] = at::zeros({64, 3});
  const auto lora = write_and_read(tensors);
  expect_same_deltas(lora.modules, theirs);
  EXPECT_EQ(lora.coverage.superseded, (std::vector<std::string>{"unet " + layer}));
}

TEST(AdapterNames, BundledEmbeddingsAreWords) {
  auto tensors = tensors_of(small_lora(), LoraDialect::kohya);
  tensors["bundle_emb.my-frog.clip_l"] = at::ones({2, 64});
  tensors["bundle_emb.my-frog.clip_g"] = at::ones({2, 96});
  tensors["bundle_emb.old.string_to_param.*"] = at::ones({1, 64});
  const auto lora = write_and_read(tensors);
  ASSERT_EQ(lora.embeddings.size(), 2u);
  EXPECT_EQ(lora.embeddings[0].word, "my-frog");
  EXPECT_EQ(lora.embeddings[0].clip_g.sizes(), at::IntArrayRef({2, 96}));
  EXPECT_FALSE(lora.embeddings[1].clip_g.defined());
  tensors["bundle_emb.odd.clip_h"] = at::ones({1, 64});
  EXPECT_NE(message_of([&] { write_and_read(tensors); }).find("bundle_emb.odd.clip_h"), std::string::npos);
}

TEST(AdapterNames, AFolderWithOneAdapterFileIsThatFile) {
  const ScratchFolder folder;
  write_safetensors(folder / "frog-style.safetensors", tensors_of(small_lora(), LoraDialect::kohya), {});
  std::ofstream(folder / "README.md") << "my style";
  expect_same_deltas(read_lora(folder / "", model_targets()).modules, small_lora());
  write_safetensors(folder / "second.safetensors", tensors_of(small_lora(), LoraDialect::kohya), {});
  const auto message = message_of([&] { read_lora(folder / "", model_targets()); });
  EXPECT_NE(message.find("2 safetensors files"), std::string::npos) << message;
}

}  // namespace negativa
