#include "engine/session.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/temporary_folder.h"
#include "core/generator.h"
#include "engine/test_engine.h"
#include "io/image_tensor.h"
#include "io/safetensors.h"

namespace negativa {

namespace {

ModelOptions on_cpu() {
  ModelOptions options;
  options.device = "cpu";
  return options;
}

// The TAESD of tools/goldens_model.py as a file.
std::filesystem::path write_taesd(const TemporaryFolder& folder) {
  std::map<std::string, Tensor> tensors;
  const auto source = test::golden("vae_tiny");
  for (const auto& entry : source->entries())
    if (entry.name.starts_with("vae.")) tensors[entry.name.substr(4)] = source->load(entry);
  write_safetensors(folder / "taesdxl.safetensors", tensors);
  return folder / "taesdxl.safetensors";
}

// The miniature whose VAE has other numbers in its config.
std::filesystem::path emoji_with_vae(const TemporaryFolder& folder, const Json& changed, const char* name = "model") {
  const auto model = folder / name;
  std::filesystem::create_directories(model / "vae");
  for (const char* part : {"unet", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler", "model_index.json"})
    std::filesystem::create_symlink(test::bundled_model() / part, model / part);
  std::filesystem::create_symlink(test::bundled_model() / "vae/diffusion_pytorch_model.safetensors",
                                  model / "vae/diffusion_pytorch_model.safetensors");
  Json config = read_json_file(test::bundled_model() / "vae/config.json");
  config.update(changed);
  write_atomically(model / "vae/config.json", config.dump());
  return model;
}

}  // namespace

TEST(SessionResolved, AnswersWhatIsAbsentFromTheModel) {
  const Session session = test::session(on_cpu());
  PictureOptions options;
  options.cfg_scale = 4;
  PictureOptions done = session.resolved(options);
  EXPECT_EQ(done.width, 64);
  EXPECT_EQ(done.height, 64);
  EXPECT_EQ(done.sampler, "euler");
  EXPECT_EQ(done.schedule, "leading");
  EXPECT_EQ(done.refiner_cfg_scale, 4);
  EXPECT_EQ(done.original_size, "64x64");
  EXPECT_EQ(done.crop_top_left, "0,0");
  EXPECT_FALSE(done.negative_prompt.has_value());
  options.width = 96;
  options.sampler = "dpmpp_2m";
  done = session.resolved(options);
  EXPECT_EQ(done.original_size, "64x96");
  EXPECT_EQ(done.target_size, "64x96");
  EXPECT_EQ(done.sampler, "dpmpp_2m");
}

TEST(SessionPlan, EmptySecondPromptsFollowTheFirst) {
  Session session = test::session(on_cpu());
  PictureOptions options;
  options.prompt = "lion";
  options.seed = 1;
  options.prompt_2 = options.negative_prompt_2 = "";
  const Plan plan = session.plan(options);
  EXPECT_EQ(plan.prompt_2, "lion");
  EXPECT_FALSE(plan.negative_prompt.has_value());
  EXPECT_FALSE(plan.negative_prompt_2.has_value());
  EXPECT_FALSE(plan.refiner_start.has_value()) << "there is no refiner";
}

namespace {

const std::string wrong_lora = std::string(NEGATIVA_SOURCE_DIR) + "/models/wrong-lora/wrong.safetensors";

PictureOptions lion() {
  PictureOptions options;
  options.prompt = "a big lion";
  options.seed = 1;
  options.steps = 2;
  options.width = options.height = 32;
  options.refiner_start = 0.5;
  return options;
}

Tensor drawn(Session& session, const Plan& plan) {
  Tensor image;
  session.draw({plan}, "denoise", [&](size_t, ImageResult&& result) { image = result.image; });
  return image;
}

}  // namespace

TEST(NegativeScale, OfZeroGivesTheBytesOfNoNegativePromptWithBothBranchLorasOnThePositiveOne) {
  ModelOptions model = on_cpu();
  for (const std::string& name : {std::string("emoji-xl"), std::string("emoji-xl/refiner")}) {  // the latter takes no zeros
    model.model = std::string(NEGATIVA_SOURCE_DIR) + "/models/" + name;
    const bool is_base = name == "emoji-xl";
    model.refiner = is_base ? model.model + "/refiner" : "";
    Session session = test::session(model);
    const auto image = [&](const PictureOptions& options) { return drawn(session, session.plan(options)); };
    PictureOptions without = lion(), zero = lion();
    zero.negative_scale = 0;
    zero.negative_prompt = "wrong, (ugly)++";
    zero.negative_prompt_2 = "bad";
    if (is_base) {
      without.lora = {wrong_lora + ":0.3:positive", wrong_lora + ":0.2:positive"};
      zero.lora = {wrong_lora + ":0.3:both", wrong_lora + ":0.7:negative", wrong_lora + ":0.2:positive"};
    }
    const Tensor expected = image(without);
    EXPECT_TRUE(at::equal(image(zero), expected)) << name;
    zero.negative_scale = 1;
    EXPECT_FALSE(at::equal(image(zero), expected)) << name;
  }
}

TEST(NegativeScale, WithoutANegativePromptAndALoraForItIsThePictureWithoutTheOption) {
  Session session = test::session(on_cpu());
  PictureOptions options = lion();
  options.lora = {wrong_lora + ":0.3:positive", wrong_lora + ":0:both"};
  const Plan without = session.plan(options);
  options.negative_scale = 2;
  const Plan left_out = session.plan(options);
  EXPECT_FALSE(left_out.negative_scale.has_value());
  EXPECT_TRUE(at::equal(drawn(session, left_out), drawn(session, without)));
  options.lora.push_back(wrong_lora + ":1:negative");
  EXPECT_EQ(session.plan(options).negative_scale, 2);
  options.lora.clear();
  options.negative_prompt = "";
  options.negative_interval = "0.2:0.6";
  const Plan plan = session.plan(options);
  EXPECT_EQ(plan.negative_scale, 2);
  EXPECT_EQ(plan.negative_interval.begin, 0.2);
  EXPECT_EQ(plan.negative_interval.end, 0.6);
}

TEST(NegativeScale, KeepsTheLorasOfEachRequestApartInOneSession) {
  Session session = test::session(on_cpu());
  PictureOptions plain = lion();
  plain.negative_prompt = "wrong";
  plain.lora = {wrong_lora};
  PictureOptions apart = plain, zero = plain;
  apart.negative_scale = 1;
  zero.negative_scale = 0;
  const auto rows = [&](const PictureOptions& options) {
    return session.plan(options).adapters->unet.layers().begin()->second.front().row_scale.size();
  };
  EXPECT_EQ(rows(plain), 2u);
  EXPECT_EQ(rows(apart), 3u);
  EXPECT_EQ(rows(zero), 2u);
  EXPECT_EQ(session.plan(zero).adapters->unet.layers().begin()->second.front().row_scale[0], 0);
  EXPECT_NE(session.plan(plain).adapters->unet.layers().begin()->second.front().row_scale[0], 0);
}

TEST(SessionStorage, IsAskedForAllPartsOrByPart) {
  ModelOptions options = on_cpu();
  for (const char* text : {"fp16", "int8", "text_encoder:fp32,text_encoder_2:fp16,unet:bf16,vae:fp32"}) {
    options.weights_dtype = text;
    EXPECT_EQ(test::session(options).weights_dtype(), text);
  }
  options.weights_dtype = "unet:fp16";
  EXPECT_EQ(test::session(options).weights_dtype(), "text_encoder:fp32,text_encoder_2:fp32,unet:fp16,vae:fp32");
  for (const char* text : {"", "fp8", "unet:", "unet:fp16,", "nnet:fp16", "unet=fp16", "unet:auto"}) {
    options.weights_dtype = text;
    EXPECT_TRUE(error_of(ErrorKind::input, [&] { test::session(options); }).starts_with("[--weights-dtype] got ")) << text;
  }
}

TEST(SessionDraw, StageByStageAndSideBySideGiveTheSameBytes) {
  ModelOptions model = on_cpu();
  model.threads = 2;
  std::map<size_t, Tensor> made[2];
  for (const bool keep_parts : {false, true}) {
    Engine engine({.places = test::places()});
    Session session(engine, model, test::nobody(), 3, keep_parts);
    std::vector<Plan> plans;
    for (uint64_t seed = 0; seed < 3; ++seed) {
      PictureOptions options;
      options.prompt = "lion";
      options.steps = 2;
      options.seed = seed;
      plans.push_back(session.plan(options));
    }
    session.draw(plans, "denoise", [&](size_t i, ImageResult&& result) { made[keep_parts][i] = result.image; });
    EXPECT_EQ(session.models().loads(), (std::map<std::string, int>{{"text", 1}, {"unet", 1}, {"vae", 1}}));
  }
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(at::equal(made[0][i], made[1][i])) << i;
}

// bundle_emb: OneTrainer and the webui put the embeddings that a LoRA was trained with into its file.
TEST(SessionLoras, BringWordsAlongThatStandForTheSameAsTheirEmbeddingFile) {
  const TemporaryFolder folder;
  const Tensor clip_l = Generator(1).randn({2, 64}), clip_g = Generator(2).randn({2, 96});
  write_safetensors(folder / "my-frog.safetensors", {{"clip_l", clip_l}, {"clip_g", clip_g}}, {});
  std::map<std::string, Tensor> tensors = {{"bundle_emb.my-frog.clip_l", clip_l},
                                           {"bundle_emb.my-frog.clip_g", clip_g},
                                           {"bundle_emb.lion.clip_g", clip_g},
                                           {"bundle_emb.wide.clip_g", at::ones({1, 1280})}};
  const auto wrong = SafetensorsFile::open(wrong_lora);
  for (const auto& entry : wrong->entries()) tensors[entry.name] = wrong->load(entry);
  write_safetensors(folder / "bundle.safetensors", tensors, wrong->metadata());
  const auto draw = [](const ModelOptions& model, const std::vector<std::string>& loras, test::Heard& heard) {
    const test::Listening listening(heard);
    Session session = test::session(model);
    PictureOptions options;
    options.prompt = "a my-frog";
    options.steps = 2;
    options.seed = 1;
    options.lora = loras;
    Tensor image;
    session.draw({session.plan(options)}, "denoise", [&](size_t, ImageResult&& result) { image = result.image; });
    return image;
  };
  test::Heard heard, silent;
  ModelOptions with_word = on_cpu();
  with_word.embedding = {(folder / "my-frog.safetensors").string()};
  const std::string bundle = (folder / "bundle.safetensors").string();
  const Tensor image = draw(on_cpu(), {bundle + ":0.5"}, heard);
  EXPECT_TRUE(at::equal(image, draw(with_word, {wrong_lora + ":0.5"}, silent)));
  EXPECT_FALSE(at::equal(image, draw(on_cpu(), {wrong_lora + ":0.5"}, silent)));
  EXPECT_TRUE(at::equal(draw(on_cpu(), {bundle + ":0"}, silent), draw(on_cpu(), {}, silent)));
  const auto said = [&](const std::string& text) {
    return std::any_of(heard.notices.begin(), heard.notices.end(),
                       [&](const auto& line) { return line.find(text) != std::string::npos; });
  };
  EXPECT_TRUE(said("brings along what \"my-frog\" in a prompt stands for"));
  EXPECT_TRUE(said("\"lion\" that it brings along is left out: it is a word already"));
  EXPECT_TRUE(said("\"wide\" that it brings along is left out: its vectors are for another model"));
}

TEST(SessionDraw, ThrowsTheFirstErrorOfItsWorkers) {
  ModelOptions model = on_cpu();
  model.threads = 2;
  Session session = test::session(model, 4);
  PictureOptions options;
  options.prompt = "lion";
  options.steps = 1;
  options.seed = 1;
  const std::vector<Plan> plans(4, session.plan(options));
  int made = 0;
  const auto stop = [&](size_t, ImageResult&&) {
    ++made;
    fail(ErrorKind::machine, "the disk is full");
  };
  EXPECT_EQ(error_of(ErrorKind::machine, [&] { session.draw(plans, "denoise", stop); }), "the disk is full");
  EXPECT_LE(made, 2);
}

TEST(SessionDraw, ShowsPreviewsByATaesdWhereTheLatentsAreItsOwn) {
  const TemporaryFolder folder;
  Engine engine({.places = test::places(), .preview_vae = write_taesd(folder)});
  const auto sides = [&](const std::filesystem::path& model, test::Heard& heard) {
    heard.every = 2;
    const test::Listening listening(heard);
    ModelOptions options = on_cpu();
    options.model = model.string();
    Session session(engine, options, test::nobody(), 1);
    PictureOptions picture;
    picture.steps = 2;
    picture.seed = 1;
    session.draw({session.plan(picture)}, "denoise", [](size_t, ImageResult&&) {});
    return heard.previews.empty() ? 0 : heard.previews.front().width;
  };
  test::Heard of_sdxl, of_emoji;
  EXPECT_EQ(sides(emoji_with_vae(folder, {{"scaling_factor", 0.13025}}), of_sdxl), 64);
  EXPECT_TRUE(of_sdxl.notices.empty());
  EXPECT_EQ(sides(test::bundled_model(), of_emoji), 16) << "a pixel for each of the latents";
  ASSERT_EQ(of_emoji.notices.size(), 1u);
  EXPECT_TRUE(contains(of_emoji.notices.front(), "not SDXL's")) << of_emoji.notices.front();
}

TEST(SessionNotices, SayWhatAnotherVaeMakesOfTheLatents) {
  const TemporaryFolder folder;
  const auto said = [&](const std::filesystem::path& vae) {
    ModelOptions options = on_cpu();
    options.vae = vae.string();
    return fmt::format("{}", fmt::join(test::session(options).notices({}), "\n"));
  };
  EXPECT_EQ(said(test::bundled_model() / "vae"), "");
  const auto scaled = emoji_with_vae(folder, {{"scaling_factor", 0.5}, {"force_upcast", false}});
  EXPECT_TRUE(contains(said(scaled / "vae"), "scales latents by 0.5")) << said(scaled / "vae");
  EXPECT_TRUE(contains(said(scaled / "vae"), "0.63117")) << "the model's own";
  EXPECT_TRUE(
      contains(said(write_taesd(folder)), "is a TAESD: small and quick; it is for SDXL's latents, which this model's are not"));
  Json two_levels = {{"block_out_channels", {24, 48}}, {"down_block_types", nullptr}, {"up_block_types", nullptr}};
  ModelOptions options = on_cpu();
  options.vae = emoji_with_vae(folder, two_levels, "two") / "vae";
  EXPECT_TRUE(contains(error_of(ErrorKind::shape, [&] { test::session(options); }), "works on latents of 1/2"));
  std::filesystem::copy_file(folder / "taesdxl.safetensors", folder / "taesd_decoder.safetensors");
  EXPECT_TRUE(contains(said(folder / "taesd_decoder.safetensors"), "Stable Diffusion 1"));
}

TEST(SessionDraw, HonoursTheScaleOfAnotherVae) {
  const TemporaryFolder folder;
  const std::vector<double> mean{0.1, -0.2, 0.3, 0.4}, std{1.5, 0.5, 2, 1};
  const auto other = emoji_with_vae(folder, {{"scaling_factor", 0.5}, {"latents_mean", mean}, {"latents_std", std}}) / "vae";
  const auto draw = [](const std::string& vae) {
    ModelOptions options = on_cpu();
    options.vae = vae;
    Session session = test::session(options);
    PictureOptions picture;
    picture.steps = 2;
    picture.seed = 1;
    ImageResult made;
    session.draw({session.plan(picture)}, "denoise", [&](size_t, ImageResult&& result) { made = std::move(result); });
    return made;
  };
  const ImageResult own = draw(""), got = draw(other.string());
  EXPECT_TRUE(at::equal(own.tensors.at("latents"), got.tensors.at("latents"))) << "the VAE decodes only";
  const c10::InferenceMode inference;
  const auto vae = test::session(on_cpu()).models().vae();
  const auto per_channel = [](const std::vector<double>& values) { return at::tensor(values, at::kFloat).view({1, 4, 1, 1}); };
  const Tensor z = own.tensors.at("latents") * per_channel(std) / 0.5 + per_channel(mean);
  EXPECT_TRUE(at::allclose(vae->decode(vae->scale(z)), got.image, 1e-4, 1e-5));
}

TEST(SessionDraw, ShowsPreviewsThatComeNearThePictureAndChangeNothing) {
  const auto draw = [](const std::string& sampler, int64_t every, test::Heard& heard) {
    heard.every = every;
    const test::Listening listening(heard);
    Session session = test::session(on_cpu());
    PictureOptions options;
    options.prompt = "a big lion";
    options.steps = 4;
    options.sampler = sampler;
    options.seed = 1;
    Tensor image;
    session.draw({session.plan(options)}, "denoise", [&](size_t, ImageResult&& result) { image = result.image; });
    return image;
  };
  for (const char* sampler : {"euler", "euler_ancestral", "dpmpp_2m", "heun"}) {
    test::Heard silent, heard;
    const Tensor image = draw(sampler, 1, heard);
    EXPECT_TRUE(at::equal(draw(sampler, 0, silent), image)) << sampler;
    EXPECT_TRUE(silent.previews.empty());
    ASSERT_EQ(heard.previews.size(), 4u) << sampler;
    const auto distance = [&](const Image8& preview) {  // a pixel of it is the mean of a square of the picture
      const Tensor shown = image_to_tensor(preview);
      const Tensor means = at::adaptive_avg_pool2d(image, {shown.size(2), shown.size(3)});
      return (shown - means).abs().mean().item<double>();
    };
    EXPECT_LT(distance(heard.previews[2]), distance(heard.previews[0])) << sampler;
    EXPECT_LT(distance(heard.previews[3]), 0.22) << sampler;  // the best linear map comes to 0.11, the mean colour to 0.45
  }
}

}  // namespace negativa
