// Every kind of file that docs/formats.md names under "Files as people have them", in small: each opens, or is refused in the
// words of its row.
#include "stand_ins.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "golden_file.h"
#include "io/keys/sgm_vae.h"
#include "io/sgm_file.h"
#include "io/stored_numbers.h"
#include "vae/vae.h"

namespace negativa {

namespace {

using namespace test;

constexpr DType half_formats[] = {at::kFloat, at::kHalf, at::kBFloat16};

Tensor ones(const Shape& shape) { return at::ones(shape); }

// The miniature's layers: 64 x 64, 64 x 160, 64 x 32 x 3 x 3, 64; of the encoders 64 x 64 and 96 x 96.
const std::string to_q = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q";
const std::string to_k = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.";
const std::string conv = "unet.down_blocks.1.resnets.0.conv1.";
const std::string norm = "unet.down_blocks.1.resnets.0.norm2.";
const std::string kohya_q = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q";
const std::string encoder_q = "text_model.encoder.layers.0.self_attn.q_proj";
const std::string kohya_encoder_q = "text_model_encoder_layers_0_self_attn_q_proj";
const std::string peft_layer = "base_model.model.mid_block.attentions.0.proj_in";

Tensors pair(const std::string& stem, int64_t in, int64_t out, const std::string& down = ".lora_down.weight",
             const std::string& up = ".lora_up.weight") {
  return {{stem + down, ones({2, in})}, {stem + up, ones({out, 2})}};
}

Tensors under(const std::string& prefix, const Tensors& tensors) {
  Tensors named;
  for (const auto& [name, tensor] : tensors) named[prefix + name] = tensor;
  return named;
}

// One LoRA under each trainer's names.
std::vector<StandIn> lora_spellings() {
  const auto q = [](const std::string& stem, const char* down, const char* up) { return pair(stem, 64, 64, down, up); };
  const std::string dotted_sgm = "input_blocks.4.1.transformer_blocks.0.attn1.to_q";
  const std::string of_2023 = "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora";
  return {
      {"sd-scripts", Use::lora, pair(kohya_q, 64, 64)},
      {"sd-scripts with alpha", Use::lora,
       [] {
         auto t = pair(kohya_q, 64, 64);
         t[kohya_q + ".alpha"] = ones({});
         return t;
       }()},
      {"sd-scripts, diffusers' blocks", Use::lora,
       pair("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q", 64, 64)},
      {"sd-scripts, first encoder", Use::lora, pair("lora_te1_" + kohya_encoder_q, 64, 64)},
      {"sd-scripts, second encoder", Use::lora, pair("lora_te2_" + kohya_encoder_q, 96, 96)},
      {"diffusers", Use::lora, q("unet." + to_q, ".lora.down.weight", ".lora.up.weight")},
      {"diffusers, lora_A", Use::lora, q("unet." + to_q, ".lora_A.weight", ".lora_B.weight")},
      {"diffusers of 2023", Use::lora, q(of_2023, ".down.weight", ".up.weight")},
      {"diffusers, first encoder", Use::lora,
       q("text_encoder." + encoder_q, ".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight")},
      {"diffusers, second encoder", Use::lora, pair("text_encoder_2." + encoder_q, 96, 96, ".lora_A.weight", ".lora_B.weight")},
      {"peft", Use::lora, q("base_model.model." + to_q, ".lora_A.weight", ".lora_B.weight")},
      {"peft, named adapter", Use::lora, q("base_model.model." + to_q, ".lora_A.default.weight", ".lora_B.default.weight")},
      {"save_lora_adapter", Use::lora, q(to_q, ".lora_A.weight", ".lora_B.weight")},
      {"OneTrainer, dotted", Use::lora, pair("lora_unet." + to_q, 64, 64)},
      {"OMI, first encoder", Use::lora, pair("clip_l." + encoder_q, 64, 64)},
      {"OMI, second encoder", Use::lora, pair("clip_g." + encoder_q, 96, 96)},
      {"ComfyUI", Use::lora, pair("diffusion_model." + dotted_sgm, 64, 64)},
      {"ComfyUI, model.", Use::lora, pair("model.diffusion_model." + dotted_sgm, 64, 64)},
      {"ComfyUI, first encoder", Use::lora, pair("text_encoders.clip_l.transformer." + encoder_q, 64, 64)},
      {"LyCORIS alone", Use::lora, pair("lycoris_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q", 64, 64)},
      {"kohya's names, peft's suffixes", Use::lora, q(kohya_q, ".lora_A.weight", ".lora_B.weight")},
  };
}

// Every kind of adapter.
std::vector<StandIn> adapter_kinds() {
  const Tensors lora = pair(to_k.substr(0, to_k.size() - 1), 160, 64);
  const auto with = [](Tensors tensors, const std::string& name, const Tensor& tensor) {
    tensors[name] = tensor;
    return tensors;
  };
  return {
      {"LoRA", Use::lora, lora},
      {"LoRA, alpha of a number", Use::lora, with(lora, to_k + "alpha", at::full({}, 4.f))},
      {"LoRA, scalar", Use::lora, with(lora, to_k + "scalar", at::full({}, 0.5f))},
      {"LoCon", Use::lora, under(conv, {{"lora_down.weight", ones({2, 32, 3, 3})}, {"lora_up.weight", ones({64, 2, 1, 1})}})},
      {"LoCon with a core", Use::lora,
       under(conv, {{"lora_down.weight", ones({2, 32, 1, 1})},
                    {"lora_up.weight", ones({64, 2, 1, 1})},
                    {"lora_mid.weight", ones({2, 2, 3, 3})}})},
      {"LoHa", Use::lora,
       under(to_k, {{"hada_w1_a", ones({64, 2})},
                    {"hada_w1_b", ones({2, 160})},
                    {"hada_w2_a", ones({64, 2})},
                    {"hada_w2_b", ones({2, 160})}})},
      {"LoHa with cores", Use::lora,
       under(conv, {{"hada_w1_a", ones({2, 64})},
                    {"hada_w1_b", ones({2, 32})},
                    {"hada_t1", ones({2, 2, 3, 3})},
                    {"hada_w2_a", ones({2, 64})},
                    {"hada_w2_b", ones({2, 32})},
                    {"hada_t2", ones({2, 2, 3, 3})}})},
      {"LoKr", Use::lora, under(to_k, {{"lokr_w1", ones({8, 10})}, {"lokr_w2_a", ones({8, 2})}, {"lokr_w2_b", ones({2, 16})}})},
      {"LoKr of whole halves", Use::lora, under(to_k, {{"lokr_w1", ones({8, 10})}, {"lokr_w2", ones({8, 16})}})},
      {"LoKr with a core", Use::lora,
       under(conv, {{"lokr_w1", ones({8, 4})},
                    {"lokr_w2_a", ones({2, 8})},
                    {"lokr_w2_b", ones({2, 8})},
                    {"lokr_t2", ones({2, 2, 3, 3})}})},
      {"(IA)3 of LyCORIS", Use::lora, under(to_k, {{"weight", ones({64})}, {"on_input", at::scalar_tensor(0, at::kLong)}})},
      {"GLoRA", Use::lora,
       under(to_k, {{"a1.weight", ones({160, 2})},
                    {"a2.weight", ones({2, 160})},
                    {"b1.weight", ones({64, 2})},
                    {"b2.weight", ones({2, 160})}})},
      {"full difference", Use::lora, {{to_k + "diff", ones({64, 160})}}},
      {"difference of a bias", Use::lora, {{conv + "diff_b", ones({64})}}},
      {"norms", Use::lora, under(norm, {{"w_norm", ones({64})}, {"b_norm", ones({64})}})},
      {"DoRA", Use::lora, with(lora, to_k + "dora_scale", ones({64, 1}))},
      {"DoRA under peft's name", Use::lora,
       with(pair("unet." + to_q, 64, 64, ".lora_A.weight", ".lora_B.weight"), "unet." + to_q + ".lora_magnitude_vector",
            ones({64}))},
  };
}

std::vector<StandIn> refused_loras() {
  const auto fitting = [](Tensors more) {
    more.merge(pair(kohya_q, 64, 64));
    return more;
  };
  return {
      {"SD 1", Use::lora, pair("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", 768, 320),
       "Stable Diffusion 1.x"},
      {"SD 1, encoder", Use::lora, pair("lora_te_text_model_encoder_layers_11_self_attn_q_proj", 768, 768),
       "Stable Diffusion 1.x"},
      {"SD 2", Use::lora, pair("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", 1024, 320),
       "Stable Diffusion 2.x"},
      {"full-size SDXL", Use::lora, pair("lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k", 2048, 640),
       "full-size SDXL"},
      {"another width", Use::lora, pair("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k", 320, 64),
       "SDXL of another size"},
      {"Flux, sd-scripts", Use::lora, pair("lora_unet_double_blocks_0_img_attn_qkv", 64, 64), "Flux"},
      {"Flux, diffusers", Use::lora, {{"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight", ones({2, 8})}}, "Flux"},
      {"SD 3", Use::lora, pair("lora_unet_joint_blocks_0_x_block_attn_qkv", 64, 64), "Stable Diffusion 3"},
      {"(IA)3 of peft", Use::lora, {{peft_layer + ".ia3_l", ones({128, 1})}}, "IA3"},
      {"OFT", Use::lora, {{kohya_q + ".oft_blocks", ones({2, 8, 8})}}, "OFT or BOFT adapter"},
      {"BOFT", Use::lora, fitting({{kohya_q + ".oft_blocks", ones({2, 2, 8, 8})}}), "OFT or BOFT adapter"},
      {"OFT of peft", Use::lora, {{peft_layer + ".oft_R.weight", ones({2, 8, 8})}}, "OFT adapter of peft"},
      {"BOFT of peft", Use::lora, {{peft_layer + ".boft_R", ones({2, 8, 8})}}, "BOFT adapter of peft"},
      {"VeRA", Use::lora, {{peft_layer + ".vera_lambda_b", ones({128})}}, "VeRA"},
      {"AdaLoRA", Use::lora, {{peft_layer + ".lora_E", ones({4, 1})}}, "AdaLoRA"},
      {"lokr_t1", Use::lora, {{kohya_q + ".lokr_t1", ones({2, 2})}}, "lokr_t1"},
      {"set_weight", Use::lora, {{kohya_q + ".set_weight", ones({64, 64})}}, "set_weight"},
      {"IP-Adapter", Use::lora, {{"ip_adapter.1.to_k_ip.weight", ones({4, 4})}}, "IP-Adapter"},
      {"ControlNet", Use::lora, {{"controlnet_cond_embedding.conv_in.bias", ones({16})}}, "ControlNet"},
      {"embedding", Use::lora, {{"clip_l", ones({2, 64})}, {"clip_g", ones({2, 96})}}, "embedding, not a LoRA; use --embedding"},
      {"checkpoint", Use::lora, {{"model.diffusion_model.out.2.bias", ones({4})}}, "whole checkpoint, not a LoRA; use -m"},
      {"UNet", Use::lora, {{"mid_block.attentions.0.proj_in.weight", ones({128, 128})}}, "whole model"},
      {"keys that fit nothing", Use::lora, fitting(pair("lora_unet_nowhere", 4, 4)), "--allow-unmatched"},
      {"half of a pair", Use::lora, {{to_k + "lora_down.weight", ones({2, 160})}}, "attn2.to_k"},
      {"another size", Use::lora, under(to_k, {{"lora_down.weight", ones({2, 64})}, {"lora_up.weight", ones({64, 2})}}),
       "[rank, 160]"},
      {"NaN", Use::lora, under(to_k, {{"lora_down.weight", at::full({2, 160}, NAN)}, {"lora_up.weight", ones({64, 2})}}), "NaN"},
      {"magnitudes alone", Use::lora, fitting({{to_k + "dora_scale", ones({64, 1})}}), "dora_scale"},
  };
}

std::vector<StandIn> embeddings() {
  const Tensor l = ones({2, 64}), g = ones({2, 96});
  return {
      {"clip_l and clip_g", Use::embedding, {{"clip_l", l}, {"clip_g", g}}},
      {"clip_l", Use::embedding, {{"clip_l", l}}},
      {"clip_g", Use::embedding, {{"clip_g", g}}},
      {"a token of the first encoder", Use::embedding, {{"<toy>", ones({64})}}},
      {"a token of the second encoder", Use::embedding, {{"<toy>", g}}},
      {"several tokens", Use::embedding, {{"<one>", ones({64})}, {"<two>", ones({64})}}},
      {"pivotal", Use::embedding, {{"text_encoders_0", l}, {"text_encoders_1", g}}},
      {"pivotal, one encoder", Use::embedding, {{"text_encoders_0", l}}},
      {"emb_params", Use::embedding, {{"emb_params", l}}},
      {"string_to_param", Use::embedding, {{"string_to_param.*", l}}},
  };
}

std::vector<StandIn> refused_embeddings() {
  return {
      {"output embeddings",
       Use::embedding,
       {{"clip_l", ones({2, 64})}, {"clip_g", ones({2, 96})}, {"clip_l_out", ones({2, 64})}},
       "clip_l_out"},
      {"LoRA", Use::embedding, pair(kohya_q, 64, 64), "got a file for something else"},
      {"LyCORIS", Use::embedding, under(to_k, {{"hada_w1_a", ones({64, 2})}, {"hada_w1_b", ones({2, 160})}}),
       "got a file for something else"},
      {"checkpoint",
       Use::embedding,
       {{"model.diffusion_model.out.2.bias", ones({4})}, {"model.diffusion_model.out.2.weight", ones({4, 4})}},
       "got a file for something else"},
      {"another width", Use::embedding, {{"<toy>", ones({2, 77})}}, "77"},
  };
}

// A VAE of one level that SDXL's 32 norm groups divide, under diffusers' names.
Tensors small_vae() {
  VaeConfig config;
  config.block_out_channels = {32};
  Vae vae(config);
  Tensors tensors;
  for (const auto& slot : nn::walk(vae).slots) tensors[slot.name] = at::zeros(slot.shape);
  return tensors;
}

Tensors in_sgm(const Tensors& ours) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : ours) names.push_back(name);
  const KeyMap map(sgm_vae_pairs(vae_layout(names)), KeyMap::to_theirs);
  Tensors theirs;
  for (const auto& [name, tensor] : ours) {
    const auto found = map.find(name).front();
    theirs[found.theirs] = found.squeeze && tensor.dim() == 2 ? tensor.unsqueeze(2).unsqueeze(3) : tensor;
  }
  return theirs;
}

// The TAESD of tools/goldens_model.py; shift: of the decoder's numbers.
Tensors taesd(const std::string& encoder, const std::string& decoder, int shift) {
  Tensors tensors;
  const auto source = golden("vae_tiny");
  for (const auto& entry : source->entries()) {
    if (!entry.name.starts_with("vae.")) continue;
    const bool of_decoder = entry.name.starts_with("vae.decoder.");
    const std::string key = entry.name.substr(std::string("vae.decoder.layers.").size());
    const auto dot = key.find('.');
    if (const auto& prefix = of_decoder ? decoder : encoder; prefix != "none")
      tensors[prefix + std::to_string(std::stoi(key.substr(0, dot)) + (of_decoder ? shift : 0)) + key.substr(dot)] =
          source->load(entry);
  }
  return tensors;
}

std::vector<StandIn> vaes() {
  const Tensors vae = small_vae(), sgm = in_sgm(vae);
  return {
      {"diffusers", Use::vae, vae},
      {"SGM", Use::vae, sgm},
      {"SGM, first_stage_model.", Use::vae, under("first_stage_model.", sgm)},
      {"vae.", Use::vae, under("vae.", vae)},
      {"TAESD of diffusers", Use::vae, taesd("encoder.layers.", "decoder.layers.", 0)},
      {"TAESD, whole", Use::vae, taesd("encoder.", "decoder.", 1)},
      {"TAESD of ComfyUI", Use::vae, taesd("taesd_encoder.", "taesd_decoder.", 1)},
      {"TAESD's decoder", Use::vae, taesd("none", "", 1)},
  };
}

std::vector<StandIn> refused_vaes() {
  auto missing = small_vae(), more = small_vae(), misshapen = small_vae();
  missing.erase("decoder.conv_out.bias");
  more["decoder.conv_out.extra"] = ones({1});
  misshapen["decoder.conv_out.bias"] = ones({5});
  auto more_tiny = taesd("encoder.layers.", "decoder.layers.", 0);
  more_tiny["vae_scale"] = ones({1});
  return {
      {"a tensor missing", Use::vae, missing, "1 missing"},
      {"a tensor too many", Use::vae, more, "1 unexpected"},
      {"a tensor misshapen", Use::vae, misshapen, "1 misshapen"},
      {"quantised by bitsandbytes", Use::vae,
       [] {
         auto t = small_vae();
         t["decoder.conv_out.weight.absmax"] = ones({1});
         return t;
       }(),
       "bitsandbytes"},
      {"TAESD's encoder", Use::vae, taesd("", "none", 1), "holds a TAESD's encoder alone"},
      {"TAESD with a scale of its own", Use::vae, more_tiny, "1 unexpected"},
      {"LoRA", Use::vae, pair(kohya_q, 64, 64), "it looks like a LoRA"},
      {"embedding", Use::vae, {{"clip_l", ones({2, 64})}}, "it looks like a textual-inversion embedding"},
      {"text encoder", Use::vae, {{"text_model.final_layer_norm.weight", ones({4})}}, "it looks like a text encoder"},
      {"something else", Use::vae, {{"a", ones({1})}}, "it looks like something unknown"},
  };
}

std::vector<StandIn> refused_models() {
  return {
      {"LoRA", Use::model, pair(kohya_q, 64, 64), "a LoRA; give it with --lora"},
      {"ControlNet", Use::model, {{"control_model.time_embed.0.weight", ones({4, 4})}}, "a ControlNet"},
      {"Flux", Use::model, {{"double_blocks.0.img_attn.qkv.weight", ones({4, 4})}}, "a Flux model"},
      {"SD 3",
       Use::model,
       {{"model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", ones({4, 4})}},
       "a Stable Diffusion 3 model"},
      {"IP-Adapter", Use::model, {{"image_proj.proj.weight", ones({4, 4})}}, "an IP-Adapter"},
      {"SD 2", Use::model, {{"cond_stage_model.model.ln_final.weight", ones({4})}}, "a Stable Diffusion 2 model"},
      {"SD 1", Use::model, {{"model.diffusion_model.out.2.weight", ones({4, 4})}}, "a Stable Diffusion 1 model"},
      {"embedding", Use::model, {{"clip_l", ones({2, 64})}, {"clip_g", ones({2, 96})}}, "give it with --embedding"},
      {"UNet alone",
       Use::model,
       {{"down_blocks.0.resnets.0.time_emb_proj.weight", ones({4, 4})}},
       "a UNet alone; give it with --unet"},
      {"VAE alone", Use::model, small_vae(), "a VAE; give it with --vae"},
      {"text encoder alone", Use::model, {{"text_model.final_layer_norm.weight", ones({4})}}, "a text encoder alone"},
      {"something else", Use::model, {{"a", ones({1})}}, "something unknown"},
  };
}

// In place of a file of tensors, as whatever it is given.
std::vector<std::pair<std::string, std::string>> foreign_bytes() {
  using namespace std::string_literals;
  const std::string sound = pickled({{"a", ones({1})}});
  return {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git-LFS pointer"},
      {"<!DOCTYPE html><html></html>", "web page"},
      {"{\"error\": \"not found\"}", "JSON text"},
      {"GGUF\3\0\0\0\0\0\0\0"s, "GGUF file"},
      {"PK\3\4\0\0 a file"s, "ZIP archive"},
      {"\x1f\x8b\x08 a tar", "packed archive"},
      {"7z\xbc\xaf\x27\x1c a file", "packed archive"},
      {"\xff\xd8\xff\xe0 a preview", "JPEG picture"},
      {"\x89PNG\r\n\x1a\n a preview", "PNG picture"},
      {"RIFF\0\0\0\0WEBP a preview"s, "WebP picture"},
      {"GIF89a a preview", "GIF picture"},
      {std::string(64, '\0'), "zero bytes"},
      {"", "file.safetensors"},
      {"\x08\0\0\0\0\0\0\0{}"s, "file.safetensors"},
      {"\x80\2cos\nsystem\nX\5\0\0\0touch\x85R."s, "calls os.system"},
      {sound.substr(0, sound.size() / 2), "file.safetensors"},
  };
}

// Counts, and holds each file against its row.
struct Table {
  TemporaryFolder folder;
  int opened = 0, refused = 0;

  void expect(const StandIn& file, const std::string& bytes, const std::string& how) {
    SCOPED_TRACE(file.name + ", " + how);
    const auto path = folder / "file.safetensors";
    std::ofstream(path, std::ios::binary) << bytes;  // five hundred times fsync would take its time
    const std::string refusal = refusal_of(file.use, path);
    ++(refusal.empty() ? opened : refused);
    EXPECT_EQ(refusal.empty(), file.words.empty()) << refusal;
    EXPECT_TRUE(contains(refusal, file.words)) << refusal;
    EXPECT_FALSE(contains(refusal, "\n")) << refusal;
    EXPECT_LT(refusal.size(), 1200u) << refusal;
  }
  void in_every_container(const StandIn& file, DType dtype) {
    const Tensors stored = stored_as(file.tensors, dtype);
    std::string whole;
    stream_safetensors(
        "stand-in", plans_of(stored), file.metadata, [&](const std::string& name) { return stored.at(name); },
        [&](std::string_view bytes) { whole += bytes; });
    expect(file, whole, dtype_name(dtype) + ", safetensors");
    expect(file, pickled(stored, file.metadata), dtype_name(dtype) + ", torch.save");
  }
  void in_every_format(const std::vector<StandIn>& files) {
    for (const auto& file : files)
      for (const DType dtype : half_formats) in_every_container(file, dtype);
  }
  void refuses(const std::vector<StandIn>& files) {
    for (const auto& file : files) in_every_container(file, at::kFloat);
  }
};

}  // namespace

TEST(StandIns, OfEveryKindOpenOrAreRefusedInTheWordsOfTheTable) {
  Table table;
  for (const auto& files : {lora_spellings(), adapter_kinds(), embeddings(), vaes()}) table.in_every_format(files);
  for (const auto& files : {refused_loras(), refused_embeddings(), refused_vaes(), refused_models()}) table.refuses(files);
  for (const auto& [bytes, words] : foreign_bytes())
    for (const Use use : {Use::model, Use::vae, Use::lora, Use::embedding})
      table.expect({"in its place", use, {}, words}, bytes, words);
  std::printf("%d stand-ins: %d open, %d are refused\n", table.opened + table.refused, table.opened, table.refused);
  EXPECT_GE(table.opened + table.refused, 330);
}

TEST(StandIns, OfWholeModelsOpenInEveryFormatAndContainer) {
  const auto model = open_model(bundled_model(), places());
  StandIn file{"the miniature in SGM's names", Use::model, {}, "", sgm_metadata(model)};
  Table table;
  for (const DType dtype : {at::kFloat, at::kHalf, at::kBFloat16, at::kFloat8_e4m3fn}) {
    for (const auto& [name, tensor] : sgm_tensors(model))
      file.tensors[name] =
          at::zeros(tensor.shape).to(stored_dtype(dtype, tensor.part, tensor.name, at::kHalf, tensor.shape.size()));
    std::string whole;
    stream_safetensors(
        "stand-in", plans_of(file.tensors), file.metadata, [&](const std::string& name) { return file.tensors.at(name); },
        [&](std::string_view bytes) { whole += bytes; });
    table.expect(file, whole, dtype_name(dtype) + ", safetensors");
    table.expect(file, pickled(file.tensors, file.metadata), dtype_name(dtype) + ", torch.save");
  }
  EXPECT_EQ(table.opened, 8);
}

}  // namespace negativa
