#include "base/json.h"
#include "io/io_test.h"
#include "io/keys/sgm_vae.h"
#include "io/model_config.h"
#include "io/prediction_marks.h"
#include "io/sgm_file.h"
#include "io/stored_numbers.h"
#include "io/tiny_vae.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {
// A model with SDXL's head width and groups in the shapes that a configuration is read from; values do not matter.
Weights weights_of(const TemporaryFolder& folder, const std::map<std::string, Shape>& shapes) {
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, shape] : shapes) tensors[name] = at::zeros(shape, at::kByte);
  write_safetensors(folder / "shapes.safetensors", tensors);
  const auto file = SafetensorsFile::open(folder / "shapes.safetensors");
  Weights weights;
  for (const auto& [name, shape] : shapes) weights[name] = {.file = file, .key = name};
  return weights;
}

std::string looks_like(const TemporaryFolder& folder, const std::string& key) {
  write_safetensors(folder / "other.safetensors", {{key, at::zeros({1})}});
  return error_of(ErrorKind::input, [&] { open_model(folder / "other.safetensors"); });
}
}  // namespace

TEST(SingleFile, GivesBackEveryWeightAndConfigOfTheMiniature) {  // sdxl.md pitfalls 58, 59
  const TemporaryFolder folder;
  for (const auto& path : {emoji_xl(), emoji_xl() / "refiner"}) {
    SCOPED_TRACE(path);
    const auto original = open_model(path);
    write_sgm_file(original, folder / "m.safetensors", {{"negativa.config", configs_of(original)}});
    const auto model = open_model(folder / "m.safetensors");
    EXPECT_EQ(model.layout, ModelFiles::single_file);
    EXPECT_EQ(model.name, "m.safetensors");
    for (const char* part : {"unet", "vae", "text_encoder", "text_encoder_2"}) {
      ASSERT_EQ(model.has(part), original.has(part)) << part;
      if (!model.has(part)) continue;
      expect_same_weights(model.weights(part), original.weights(part));
      EXPECT_EQ(parse_json(model.config_json(part), part), parse_json(original.config_json(part), part));
    }
    EXPECT_EQ(parse_json(model.config_json("model_index"), ""), parse_json(original.config_json("model_index"), ""));
    EXPECT_TRUE(model.unused_keys().empty());
    EXPECT_EQ(model.files(), std::vector{folder / "m.safetensors"});
  }
}

TEST(SingleFile, TransposesTheProjectionAndTakesThirdsInOrder) {  // sdxl.md pitfall 58: x P = x W^T with W = P^T
  const TemporaryFolder folder;
  write_sgm_file(open_model(emoji_xl()), folder / "m.safetensors", {});
  const auto file = SafetensorsFile::open(folder / "m.safetensors");
  const auto weights = open_model(folder / "m.safetensors").weights("text_encoder_2");
  const auto x = at::arange(96, at::kFloat).reshape({1, 96}) / 96;
  const auto p = file->load("conditioner.embedders.1.model.text_projection", at::kFloat);
  const auto w = weights.at("text_projection.weight").load(at::kFloat);
  EXPECT_FALSE(at::equal(p, w));
  EXPECT_TRUE(at::equal(p, w.t()));
  EXPECT_LT((x.matmul(p) - x.matmul(w.t())).abs().max().item<float>(), 1e-6);
  const auto fused = file->load("conditioner.embedders.1.model.transformer.resblocks.2.attn.in_proj_weight");
  EXPECT_TRUE(at::equal(weights.at("text_model.encoder.layers.2.self_attn.k_proj.weight").load({}), fused.slice(0, 96, 192)));
}

// Under its bare name the projection is turned; as a linear layer's weight, and under transformers' names, it is not.
TEST(SingleFile, TakesTheProjectionAsItsNameSaysItLies) {
  const TemporaryFolder folder;
  const auto original = open_model(emoji_xl());
  write_sgm_file(original, folder / "m.safetensors", {});
  const auto file = SafetensorsFile::open(folder / "m.safetensors");
  const std::string second = "conditioner.embedders.1.model.", projection = second + "text_projection";
  std::map<std::string, Tensor> as_linear, as_transformers;
  for (const auto& entry : file->entries()) {
    if (entry.name == projection)
      as_linear[projection + ".weight"] = file->load(entry).t().contiguous();
    else
      as_linear[entry.name] = file->load(entry);
    if (!entry.name.starts_with("conditioner.")) as_transformers[entry.name] = file->load(entry);
  }
  for (const auto& [part, name] : {std::pair{"text_encoder", "clip_l"}, {"text_encoder_2", "clip_g"}})
    for (const auto& [key, source] : original.weights(part))
      as_transformers[fmt::format("text_encoders.{}.transformer.{}", name, key)] = source.load({});
  for (const auto* tensors : {&as_linear, &as_transformers}) {
    write_safetensors(folder / "x.safetensors", *tensors);
    const auto model = open_model(folder / "x.safetensors");
    for (const char* part : {"text_encoder", "text_encoder_2"}) expect_same_weights(model.weights(part), original.weights(part));
    EXPECT_TRUE(model.unused_keys().empty());
  }
  as_linear[projection] = as_linear[projection + ".weight"];
  write_safetensors(folder / "x.safetensors", as_linear);
  EXPECT_NE(error_of(ErrorKind::file_format, [&] { open_model(folder / "x.safetensors").weights("text_encoder_2"); })
                .find("holds text_projection.weight a second time"),
            std::string::npos);
}

TEST(SingleFile, TakesMovingAveragesWhereThereIsNothingElse) {
  const TemporaryFolder folder;
  const auto original = open_model(emoji_xl());
  write_sgm_file(original, folder / "m.safetensors", {});
  const auto file = SafetensorsFile::open(folder / "m.safetensors");
  std::map<std::string, Tensor> tensors;
  for (const auto& entry : file->entries()) {
    std::string name = entry.name;
    if (const std::string begin = "model."; name.starts_with(begin + "diffusion_model.")) {
      name.erase(0, begin.size());
      std::erase(name, '.');
      name = "model_ema." + name;
    }
    tensors[name] = file->load(entry);
  }
  tensors["model_ema.decay"] = tensors["model_ema.num_updates"] = at::ones({});
  write_safetensors(folder / "ema.safetensors", tensors);
  const auto model = open_model(folder / "ema.safetensors");
  expect_same_weights(model.weights("unet"), original.weights("unet"));
  for (const auto& entry : file->entries()) tensors[entry.name] = file->load(entry) * 2;
  write_safetensors(folder / "both.safetensors", tensors);
  const auto weight = open_model(folder / "both.safetensors").weights("unet").at("conv_in.weight").load(at::kFloat);
  EXPECT_TRUE(at::equal(weight, original.weights("unet").at("conv_in.weight").load(at::kFloat) * 2)) << "the weights themselves";
}

TEST(SingleFile, ReadsShapesWhereNoConfigIsGiven) {
  const TemporaryFolder folder;
  const auto original = open_model(emoji_xl());
  write_sgm_file(original, folder / "m.safetensors", {});
  const auto model = open_model(folder / "m.safetensors");
  const auto expect_same = [&](const char* part, const std::vector<const char*>& keys) {
    const auto got = parse_json(model.config_json(part), part), expected = parse_json(original.config_json(part), part);
    for (const char* key : keys) EXPECT_EQ(got.at(key), expected.at(key)) << part << " " << key;
  };
  expect_same("unet",
              {"block_out_channels", "down_block_types", "up_block_types", "mid_block_type", "layers_per_block", "in_channels",
               "out_channels", "transformer_layers_per_block", "cross_attention_dim", "projection_class_embeddings_input_dim",
               "use_linear_projection", "addition_embed_type", "norm_eps", "flip_sin_to_cos", "freq_shift", "act_fn"});
  expect_same("vae", {"block_out_channels", "layers_per_block", "latent_channels", "in_channels", "out_channels", "force_upcast",
                      "use_quant_conv", "mid_block_add_attention"});
  for (const char* part : {"text_encoder", "text_encoder_2"})
    expect_same(part, {"hidden_size", "intermediate_size", "num_hidden_layers", "vocab_size", "max_position_embeddings",
                       "hidden_act", "layer_norm_eps", "eos_token_id", "bos_token_id", "pad_token_id", "architectures"});
  expect_same("text_encoder_2", {"projection_dim"});
  expect_same("scheduler", {"_class_name", "beta_start", "beta_end", "beta_schedule", "prediction_type", "timestep_spacing",
                            "steps_offset", "num_train_timesteps", "interpolation_type"});
  expect_same("model_index", {"force_zeros_for_empty_prompt", "_class_name", "text_encoder", "tokenizer_2"});
}

TEST(SingleFile, SaysSdxlsOwnNumbersForItsShapes) {  // sdxl.md 2.1, 3.1, 4
  const TemporaryFolder folder;
  std::map<std::string, Shape> unet = {
      {"conv_in.weight", {320, 4, 3, 3}}, {"conv_out.weight", {4, 320, 3, 3}}, {"add_embedding.linear_1.weight", {1280, 2816}}};
  const int64_t channels[] = {320, 640, 1280};
  const int depth[] = {0, 2, 10};
  for (int i = 0; i < 3; ++i) {
    unet[fmt::format("down_blocks.{}.resnets.0.conv1.weight", i)] = {channels[i], 1, 1, 1};
    unet[fmt::format("down_blocks.{}.resnets.1.conv1.weight", i)] = {channels[i], 1, 1, 1};
    unet[fmt::format("up_blocks.{}.resnets.0.conv1.weight", i)] = {channels[2 - i], 1, 1, 1};
    for (int d = 0; d < depth[i]; ++d) {
      const auto block = fmt::format("attentions.0.transformer_blocks.{}.attn2.to_k.weight", d);
      unet[fmt::format("down_blocks.{}.{}", i, block)] = {channels[i], 2048};
      unet[fmt::format("up_blocks.{}.{}", 2 - i, block)] = {channels[i], 2048};
      if (i == 2) unet["mid_block." + block] = {channels[i], 2048};
    }
  }
  const auto config = parse_json(unet_config_json(weights_of(folder, unet)), "");
  EXPECT_EQ(config.at("attention_head_dim"), Json({5, 10, 20}));
  EXPECT_EQ(config.at("transformer_layers_per_block"), Json({1, 2, 10}));
  EXPECT_EQ(config.at("block_out_channels"), Json({320, 640, 1280}));
  EXPECT_EQ(config.at("cross_attention_dim"), 2048);
  EXPECT_EQ(config.at("projection_class_embeddings_input_dim"), 2816);
  EXPECT_EQ(config.at("down_block_types"), Json({"DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"}));
  EXPECT_EQ(config.at("up_block_types"), Json({"CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"}));
  EXPECT_EQ(config.count("reverse_transformer_layers_per_block"), 0u);
  EXPECT_EQ(parse_json(vae_config_json(weights_of(folder, {{"encoder.conv_in.weight", {128, 3, 3, 3}},
                                                           {"encoder.down_blocks.0.resnets.0.conv1.weight", {128, 128, 3, 3}},
                                                           {"decoder.conv_in.weight", {512, 4, 3, 3}},
                                                           {"decoder.conv_out.weight", {3, 128, 3, 3}}})),
                       "")
                .at("scaling_factor"),
            0.13025);
}

TEST(SingleFile, AccountsForEveryKey) {
  const TemporaryFolder folder;
  write_sgm_file(open_model(emoji_xl()), folder / "m.safetensors", {});
  const auto file = SafetensorsFile::open(folder / "m.safetensors");
  std::map<std::string, Tensor> tensors;
  for (const auto& entry : file->entries()) tensors[entry.name] = file->load(entry);
  tensors["model_ema.decay"] = tensors["first_stage_model.loss.logvar"] = at::zeros({});
  tensors["v_pred"] = at::zeros({0});
  write_safetensors(folder / "more.safetensors", tensors);
  const auto model = open_model(folder / "more.safetensors");
  EXPECT_EQ(model.unused_keys(), (std::vector<std::string>{"first_stage_model.loss.logvar", "model_ema.decay"}));
  EXPECT_NE(model.config_json("scheduler").find("v_prediction"), std::string::npos);
  EXPECT_EQ(model.weights("vae").size(), open_model(emoji_xl()).weights("vae").size());
  tensors["model.diffusion_model.input_blocks.77.0.op.weight"] = at::zeros({1});
  write_safetensors(folder / "more.safetensors", tensors);
  const auto strange = open_model(folder / "more.safetensors");
  EXPECT_NE(error_of(ErrorKind::file_format, [&] { strange.weights("unet"); }).find("input_blocks.77.0.op.weight"),
            std::string::npos);
}

TEST(SingleFile, TellsWhatItsModelPredictsAndWhoSaysSo) {
  const TemporaryFolder folder;
  struct Case {
    std::map<std::string, Tensor> marks;
    Metadata metadata;
    std::string type, source;  // or why the file does not tell
    bool zero_snr = false;
  };
  const Tensor mark = at::zeros({0});
  std::vector<Case> cases = {
      {{}, {}, "epsilon", "default"},
      {{{"v_pred", mark}}, {}, "v_prediction", "tensor v_pred"},
      {{{"v_pred", mark}, {"ztsnr", mark}}, {}, "v_prediction", "tensor v_pred", true},
      {{{"ztsnr", mark}}, {{"modelspec.prediction_type", "v"}}, "v_prediction", "metadata modelspec.prediction_type", true},
      {{{"ztsnr", mark}}, {{"modelspec.predict_key", "epsilon"}}, "epsilon", "metadata modelspec.predict_key", true},
      {{},
       {{"ss_v_parameterization", "True"}, {"ss_zero_terminal_snr", "True"}},
       "v_prediction",
       "metadata ss_v_parameterization",
       true},
      {{{"v_pred", mark}},
       {{"ss_v_parameterization", "False"}, {"ss_zero_terminal_snr", "False"}},
       "v_prediction",
       "tensor v_pred"},
      {{{"ztsnr", mark}},
       {},
       "",
       "was trained to zero terminal SNR (tensor ztsnr), where a model as a rule predicts v, but nothing in it says so; "},
      {{{"v_pred", mark}},
       {{"modelspec.prediction_type", "epsilon"}},
       "",
       "says that it predicts v_prediction (tensor v_pred) and that it predicts epsilon (metadata modelspec.prediction_type); "},
      {{},
       {{"modelspec.prediction_type", "flow"}},
       "",
       "predicts \"flow\" by its metadata (modelspec.prediction_type), expected epsilon, v or sample; "}};
  for (const char* key : {"modelspec.prediction_type", "modelspec.predict_key", "prediction_type"})
    for (const auto& [type, spellings] :
         std::map<std::string, std::vector<const char*>>{{"v_prediction", {"v", "V", "v_prediction", "v-prediction", "velocity"}},
                                                         {"epsilon", {"epsilon", "eps"}},
                                                         {"sample", {"sample", "x0"}}})
      for (const char* spelling : spellings) cases.push_back({{}, {{key, spelling}}, type, std::string("metadata ") + key});
  for (auto& [marks, metadata, type, source, zero_snr] : cases) {
    write_safetensors(folder / "m.safetensors", marks, metadata);
    const Json config =
        parse_json(scheduler_config_json(read_prediction_marks(*SafetensorsFile::open(folder / "m.safetensors"))), source);
    EXPECT_EQ(config.at("rescale_betas_zero_snr"), zero_snr || (type.empty() && marks.contains("ztsnr"))) << source;
    if (!type.empty()) {
      EXPECT_EQ(config.at("prediction_type"), type) << source;
      EXPECT_EQ(config.at("_prediction_source"), source);
      EXPECT_FALSE(config.contains("_prediction_unclear")) << config;
      EXPECT_EQ(parse_json(plain_scheduler_config(config.dump()), "").contains("_prediction_source"), false)
          << "in a folder it stands in the config itself";
      continue;
    }
    const std::string unclear = config.at("_prediction_unclear");
    EXPECT_TRUE(unclear.ends_with(source + "generate and compare take --prediction-type")) << unclear;
    EXPECT_EQ(error_of(ErrorKind::input, [&] { plain_scheduler_config(config.dump()); }), unclear)
        << "no folder is written that says epsilon";
  }
}

TEST(SingleFile, KnowsCosXlAndPlaygroundByTheirTensors) {
  const TemporaryFolder folder;
  const auto marks_of = [&](const std::map<std::string, Tensor>& tensors) {
    write_safetensors(folder / "m.safetensors", tensors);
    return read_prediction_marks(*SafetensorsFile::open(folder / "m.safetensors"));
  };
  const auto config_of = [](const PredictionMarks& marks) { return parse_json(scheduler_config_json(marks), "scheduler"); };
  // Its card: EDMEulerScheduler(sigma_min=0.002, sigma_max=120.0, sigma_data=1.0, prediction_type="v_prediction",
  // sigma_schedule="exponential")
  for (const bool has_both : {true, false}) {
    std::map<std::string, Tensor> tensors{{"edm_vpred.sigma_max", at::full({}, 120.0)}};
    if (has_both) tensors["edm_vpred.sigma_min"] = at::full({1}, 0.004).to(at::kHalf);
    const Json cosxl = config_of(marks_of(tensors));
    const Json expected = {{"_class_name", "EDMEulerScheduler"},
                           {"sigma_max", 120.0},
                           {"sigma_data", 1.0},
                           {"sigma_schedule", "exponential"},
                           {"prediction_type", "v_prediction"},
                           {"_prediction_source", "tensor edm_vpred.sigma_max"}};
    for (const auto& [key, value] : expected.items()) EXPECT_EQ(cosxl.at(key), value) << key;
    EXPECT_NEAR(cosxl.at("sigma_min").get<double>(), has_both ? 0.004 : 0.002, 1e-5);
    EXPECT_FALSE(cosxl.contains("beta_start"));
  }
  // diffusers' single_file_utils.py: EDMDPMSolverMultistepScheduler, and latents with a mean and a standard deviation.
  const auto playground = marks_of({{"edm_mean", at::tensor({-1.5, 1.75, -1.25, 2.5}).view({1, 4, 1, 1})},
                                    {"edm_std", at::tensor({8.5, 5.75, 6.5, 5.25}).view({1, 4, 1, 1})}});
  const Json expected = {{"_class_name", "EDMDPMSolverMultistepScheduler"},
                         {"sigma_min", 0.002},
                         {"sigma_max", 80.0},
                         {"sigma_data", 0.5},
                         {"sigma_schedule", "karras"},
                         {"rho", 7.0},
                         {"prediction_type", "epsilon"}};
  for (const auto& [key, value] : expected.items()) EXPECT_EQ(config_of(playground).at(key), value) << key;
  const auto weights = weights_of(folder, {{"encoder.conv_in.weight", {128, 3, 3, 3}},
                                           {"encoder.down_blocks.0.resnets.0.conv1.weight", {128, 128, 3, 3}},
                                           {"decoder.conv_in.weight", {512, 4, 3, 3}},
                                           {"decoder.conv_out.weight", {3, 128, 3, 3}}});
  const Json vae = parse_json(vae_config_json(weights, playground), "vae");
  EXPECT_EQ(vae.at("latents_mean"), Json({-1.5, 1.75, -1.25, 2.5}));
  EXPECT_EQ(vae.at("latents_std"), Json({8.5, 5.75, 6.5, 5.25}));
  EXPECT_EQ(vae.at("scaling_factor"), 0.5);
  error_of(ErrorKind::file_format, [&] { marks_of({{"edm_vpred.sigma_max", at::zeros({0})}}); });
  error_of(ErrorKind::file_format, [&] { marks_of({{"edm_vpred.sigma_max", at::full({}, INFINITY)}}); });
  for (const char* key : {"v_pred", "ztsnr", "edm_vpred.sigma_max", "edm_vpred.sigma_min", "edm_mean", "edm_std"})
    EXPECT_TRUE(is_prediction_mark(key)) << key;
}

TEST(SingleFile, FindsItsTokenizersBesideItOrInTheModelsFolder) {
  const TemporaryFolder folder;
  write_sgm_file(open_model(emoji_xl()), folder / "m.safetensors", {});
  const auto model = open_model(folder / "m.safetensors", {.models = folder / "models"});
  fs::create_directories(folder / "models/clip-tokenizer/tokenizer");
  EXPECT_EQ(model.tokenizer_folder("tokenizer"), folder / "models/clip-tokenizer/tokenizer");
  fs::create_directories(folder / "tokenizer");
  EXPECT_EQ(model.tokenizer_folder("tokenizer"), folder / "tokenizer");
}

TEST(SingleFile, GuessesWhatAnotherFileIs) {
  const TemporaryFolder folder;
  const std::pair<const char*, const char*> others[] = {
      {"lora_unet_down_blocks_0.lora_down.weight", "LoRA"},
      {"unet.mid_block.attentions.0.proj_in.lora.down.weight", "LoRA"},
      {"control_model.input_blocks.0.0.weight", "ControlNet"},
      {"model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "Flux"},
      {"double_blocks.0.img_attn.qkv.weight", "Flux"},
      {"cond_stage_model.model.ln_final.weight", "Stable Diffusion 2"},
      {"cond_stage_model.transformer.text_model.final_layer_norm.bias", "Stable Diffusion 1"},
      {"down_blocks.0.resnets.0.time_emb_proj.weight", "a UNet alone; give it with --unet"},
      {"decoder.conv_in.weight", "--vae"},
      {"clip_g", "--embedding"},
      {"text_model.final_layer_norm.weight", "text encoder"},
      {"something", "\"something\""},
  };
  for (const auto& [key, expected] : others) {
    const auto message = looks_like(folder, key);
    EXPECT_NE(message.find(expected), std::string::npos) << message;
  }
}

TEST(Vae, OpensFromFoldersAndFilesInEitherNaming) {
  const TemporaryFolder folder;
  const auto model = open_model(emoji_xl());
  const auto expected = model.weights("vae");
  std::map<std::string, Tensor> sgm;
  write_sgm_file(model, folder / "m.safetensors", {});
  const auto checkpoint = SafetensorsFile::open(folder / "m.safetensors");
  for (const auto& entry : checkpoint->entries())
    if (entry.name.starts_with("first_stage_model.")) sgm[entry.name.substr(18)] = checkpoint->load(entry);
  write_safetensors(folder / "sgm.safetensors", sgm);
  const std::string scaling = R"({"vae":{"scaling_factor":0.5}})";
  write_safetensors(folder / "with_config.safetensors", sgm, {{"negativa.config", scaling}});
  const auto in_folder = emoji_xl() / "vae/diffusion_pytorch_model.safetensors";
  for (const auto& path : {emoji_xl(), emoji_xl() / "vae", in_folder, folder / "m.safetensors", folder / "sgm.safetensors"}) {
    SCOPED_TRACE(path);
    const auto vae = open_vae(path);
    expect_same_weights(vae.weights, expected);
    EXPECT_EQ(parse_json(vae.config_json, "").at("block_out_channels"), Json({24, 48, 96}));
  }
  EXPECT_EQ(parse_json(open_vae(in_folder).config_json, "").at("scaling_factor"), 0.63117);  // its folder's config.json
  EXPECT_EQ(parse_json(open_vae(folder / "sgm.safetensors").config_json, "").at("scaling_factor"), 0.13025);
  EXPECT_EQ(parse_json(open_vae(folder / "with_config.safetensors").config_json, "").at("scaling_factor"), 0.5);
  error_of(ErrorKind::input, [] { open_vae(emoji_xl() / "unet/diffusion_pytorch_model.safetensors"); });
  error_of(ErrorKind::input, [] { open_vae(emoji_xl() / "tokenizer"); });
}

TEST(Vae, OpensATaesdUnderEachOfItsNames) {
  const TemporaryFolder folder;
  const auto source = SafetensorsFile::open(golden("vae_tiny.safetensors"));
  // "decoder.layers.3.conv.0.weight" with other beginnings; the author's decoder counts from a layer without weights.
  const auto named = [&](const std::string& encoder, const std::string& decoder, int shift) {
    std::map<std::string, Tensor> tensors;
    for (const auto& entry : source->entries()) {
      if (!entry.name.starts_with("vae.")) continue;
      const bool of_decoder = entry.name.starts_with("vae.decoder.");
      const std::string key = entry.name.substr(19);
      const auto dot = key.find('.');
      const int number = std::stoi(key.substr(0, dot)) + (of_decoder ? shift : 0);
      if (const auto& prefix = of_decoder ? decoder : encoder; prefix != "-")
        tensors[prefix + std::to_string(number) + key.substr(dot)] = source->load(entry);
    }
    return tensors;
  };
  write_safetensors(folder / "diffusers.safetensors", named("encoder.layers.", "decoder.layers.", 0));
  write_safetensors(folder / "whole.safetensors", named("encoder.", "decoder.", 1));
  write_safetensors(folder / "comfy.safetensors", named("taesd_encoder.", "taesd_decoder.", 1));
  fs::create_directory(folder / "halves");
  write_safetensors(folder / "halves" / "taesdxl_encoder.safetensors", named("", "-", 1));
  write_safetensors(folder / "halves" / "taesdxl_decoder.safetensors", named("-", "", 1));
  write_safetensors(folder / "xl_decoder.safetensors", named("-", "", 1));
  write_safetensors(folder / "xl2_encoder.safetensors", named("", "-", 1));
  fs::create_directory(folder / "folder");
  fs::copy_file(folder / "diffusers.safetensors", folder / "folder" / "diffusion_pytorch_model.safetensors");
  write_bytes(folder / "folder" / "config.json", source->metadata().at("config"));
  const auto expected = open_vae(folder / "diffusers.safetensors");
  EXPECT_EQ(expected.weights.size(), 72u);
  const auto halves = folder / "halves";
  for (const auto& path :
       {folder / "whole.safetensors", folder / "comfy.safetensors", halves / "taesdxl_decoder.safetensors",
        halves / "taesdxl_encoder.safetensors", folder / "folder", folder / "folder" / "diffusion_pytorch_model.safetensors"}) {
    SCOPED_TRACE(path);
    const auto vae = open_vae(path);
    expect_same_weights(vae.weights, expected.weights);
    EXPECT_EQ(parse_json(vae.config_json, "").at("num_encoder_blocks"), Json({1, 3, 2}));
    EXPECT_EQ(parse_json(vae.config_json, "").at("decoder_block_out_channels"), Json({8, 8, 8}));
  }
  EXPECT_EQ(open_vae(halves / "taesdxl_decoder.safetensors").files.size(), 2u);
  EXPECT_EQ(find_taesdxl({folder / "folder", halves}), halves / "taesdxl_decoder.safetensors");
  EXPECT_EQ(find_taesdxl({folder / "folder"}), std::nullopt);
  fs::create_directory(folder / "folder" / "vae_approx");
  fs::copy_file(halves / "taesdxl_decoder.safetensors", folder / "folder" / "vae_approx" / "taesdxl_decoder.pth");
  EXPECT_EQ(find_taesdxl({folder / "folder"}), folder / "folder" / "vae_approx" / "taesdxl_decoder.pth");
  const auto alone = open_vae(folder / "xl_decoder.safetensors");
  EXPECT_EQ(parse_json(alone.config_json, "").at("num_encoder_blocks"), Json::array());
  EXPECT_NE(error_of(ErrorKind::input, [&] { open_vae(folder / "xl2_encoder.safetensors"); }).find("encoder alone"),
            std::string::npos);
}

TEST(SgmFile, HasTheTensorsThatStabilitysOwnFilesHave) {  // joined in_proj, turned projection, 1x1 convolutions of the VAE
  const TemporaryFolder folder;
  for (const auto& path : {emoji_xl(), emoji_xl() / "refiner"}) {
    SCOPED_TRACE(path);
    const auto model = open_model(path);
    write_sgm_file(model, folder / "m.safetensors", {});
    const auto file = SafetensorsFile::open(folder / "m.safetensors");
    const auto tensors = sgm_tensors(model);
    EXPECT_EQ(file->entries().size(), tensors.size() + (model.has("text_encoder") ? 2 : 1));  // logit_scale, position_ids
    for (const auto& [name, tensor] : tensors) {
      ASSERT_NE(file->find(name), nullptr) << name;
      const Tensor got = tensor.load();
      EXPECT_EQ(shape_of(got), tensor.shape) << name;
      EXPECT_TRUE(at::equal(got, file->load(name))) << name;
    }
    EXPECT_TRUE(sgm_marks(model).empty());
  }
}

TEST(SgmFile, SaysWhatTheSchedulerSays) {
  const auto marks = [](const char* scheduler, const char* vae = "{}") {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : prediction_mark_tensors(scheduler, vae)) names.push_back(name);
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(marks(R"({"prediction_type": "epsilon", "lambda_min_clipped": -Infinity})"), Names{});
  EXPECT_EQ(marks(R"({"prediction_type": "v_prediction"})"), Names{"v_pred"});
  EXPECT_EQ(marks(R"({"prediction_type": "v_prediction", "rescale_betas_zero_snr": true})"), (Names{"v_pred", "ztsnr"}));
  EXPECT_EQ(
      marks(R"({"_class_name": "EDMEulerScheduler", "prediction_type": "v_prediction", "sigma_min": 0.002, "sigma_max": 120})"),
      (Names{"edm_vpred.sigma_max", "edm_vpred.sigma_min"}));
  EXPECT_EQ(marks(R"({"_class_name": "EDMDPMSolverMultistepScheduler", "prediction_type": "epsilon"})",
                  R"({"latents_mean": [1, 2], "latents_std": [3, 4]})"),
            (Names{"edm_mean", "edm_std"}));
}

TEST(StoredNumbers, SaturateInFp8AndKeepWhatIsSmall) {
  int64_t saturated = 0;
  const Tensor stored = as_stored(at::tensor({1000.f, -449.f, 448.f, 0.3f}), at::kFloat8_e4m3fn, "x", &saturated);
  EXPECT_TRUE(at::equal(stored.to(at::kFloat), at::tensor({448.f, -448.f, 448.f, 0.3125f})));
  EXPECT_EQ(saturated, 2);
  EXPECT_NE(error_of(ErrorKind::input, [] { as_stored(at::full({1}, NAN), at::kFloat8_e4m3fn, "x"); }).find("not finite"),
            std::string::npos);
  const auto fp8 = [](const char* part, const char* name, size_t axes) {
    return stored_dtype(at::kFloat8_e4m3fn, part, name, at::kHalf, axes) == at::kFloat8_e4m3fn;
  };
  EXPECT_TRUE(fp8("unet", "conv_in.weight", 4));
  EXPECT_TRUE(fp8("text_encoder_2", "transformer.resblocks.0.attn.in_proj_weight", 2));
  EXPECT_FALSE(fp8("unet", "conv_in.bias", 1));
  EXPECT_FALSE(fp8("vae", "decoder.conv_in.weight", 4));
  EXPECT_FALSE(fp8("unet", "label_emb.0.0.weight", 2));
  EXPECT_FALSE(fp8("text_encoder", "text_model.embeddings.token_embedding.weight", 2));
  EXPECT_EQ(stored_dtype(at::kHalf, "unet", "step", at::kLong, 0), at::kLong);
}

}  // namespace negativa
