#include "jobs/without_effect.h"

#include "base/temporary_folder.h"
#include "engine/test_engine.h"
#include "io/safetensors.h"

namespace negativa {

namespace {

using Lines = std::vector<std::string>;

const std::string models = std::string(NEGATIVA_SOURCE_DIR) + "/models";
const std::string lora = std::string(NEGATIVA_SOURCE_DIR) + "/tests/golden/lora_kohya.safetensors";
const std::string no_guidance = " has no effect: there is no guidance (--cfg-scale 1 or less, or an empty --guidance-interval)";
const std::string not_told = " has no effect: the model that draws is not told one, only refiners are";

ModelOptions on_cpu(const std::string& refiner = "", const std::string& model = "") {
  ModelOptions options;
  options.device = "cpu";
  options.refiner = refiner;
  options.model = model;
  return options;
}

using Change = std::function<void(PictureOptions&)>;

struct Case {
  Change change;
  Lines expected;
};

PictureOptions lion() {
  PictureOptions options;
  options.prompt = "a big lion";
  options.steps = 4;
  options.seed = 1;
  return options;
}

Lines lines_of(Session& session, const std::vector<PictureOptions>& pictures, const std::set<std::string>& typed = {}) {
  std::vector<Plan> plans;
  std::vector<AskedPicture> asked;
  for (const auto& picture : pictures) plans.push_back(session.plan(picture));
  for (size_t i = 0; i < pictures.size(); ++i) asked.push_back({pictures[i], plans[i]});
  return without_effect(session, asked, typed);
}

void expect_all(const ModelOptions& model, const std::vector<Case>& cases) {
  Session session = test::session(model, 1);
  for (size_t i = 0; i < cases.size(); ++i) {
    PictureOptions picture = lion();
    cases[i].change(picture);
    EXPECT_EQ(lines_of(session, {picture}), cases[i].expected) << i;
  }
}

}  // namespace

TEST(WithoutEffect, OptionsOfAPictureDrawnByTheBaseAlone) {
  expect_all(on_cpu(),
             {
                 {[](auto&) {}, {}},
                 {[](auto& p) {
                    p.negative_prompt = "wrong", p.negative_prompt_2 = "bad", p.prompt_2 = "cat", p.guidance_rescale = 0.5,
                    p.guidance_interval = "0.2:0.5", p.pooled = "clean";
                  },
                  {}},
                 {[](auto& p) { p.lora = {lora + ":1:negative"}, p.negative_prompt = "wrong"; }, {}},
                 {[](auto& p) { p.negative_prompt = "wrong", p.cfg_scale = 1; }, {"--negative-prompt" + no_guidance}},
                 {[](auto& p) { p.negative_prompt = "wrong", p.guidance_interval = "0:0"; }, {"--negative-prompt" + no_guidance}},
                 {[](auto& p) { p.negative_prompt = "wrong", p.guidance_interval = "0.9:1"; },
                  {"--negative-prompt" + no_guidance}},  // no step of four begins there
                 {[](auto& p) { p.negative_prompt = "", p.negative_prompt_2 = "bad", p.cfg_scale = 0.5; },
                  {"--negative-prompt-2" + no_guidance}},
                 {[](auto& p) { p.guidance_rescale = 0.5, p.cfg_scale = 1; }, {"--guidance-rescale" + no_guidance}},
                 {[](auto& p) { p.guidance_interval = "0.2:0.5", p.cfg_scale = 1; }, {"--guidance-interval" + no_guidance}},
                 {[](auto& p) { p.lora = {lora + ":1:negative"}, p.cfg_scale = 1; },
                  {}},  // of LoRAs the engine speaks: lora_notices_test.cpp
                 {[](auto& p) { p.lora = {lora + ":0"}; }, {}},
                 {[](auto& p) { p.refiner_start = 0.5; }, {"--refiner-start has no effect: there is no --refiner"}},
                 {[](auto& p) { p.refiner_cfg_scale = 3; }, {"--refiner-cfg-scale has no effect: there is no --refiner"}},
                 {[](auto& p) { p.aesthetic_score = 5; }, {"--aesthetic-score" + not_told}},
                 {[](auto& p) { p.negative_aesthetic_score = 5; }, {"--negative-aesthetic-score" + not_told}},
                 {[](auto& p) { p.weighting = "none", p.pooled = "clean"; },
                  {"--pooled has no effect: with --weighting none the text is taken as it stands"}},
             });
}

TEST(WithoutEffect, OptionsOfANegativePromptThatIsGuidedApart) {
  const std::string left_out = " has no effect: --negative-scale 0 leaves the negative prompt out",
                    no_step = " has no effect: no step begins within --negative-interval",
                    no_prompt = " has no effect: there is no negative prompt";
  expect_all(
      on_cpu(),
      {
          {[](auto& p) { p.negative_scale = 1, p.negative_prompt = "wrong", p.negative_interval = "0.2:0.6"; }, {}},
          {[](auto& p) {
             p.negative_scale = 1, p.negative_prompt = "wrong", p.negative_prompt_2 = "bad", p.cfg_scale = 1,
             p.guidance_rescale = 0.5;
           },
           {}},
          {[](auto& p) { p.negative_scale = 1, p.negative_prompt = "wrong", p.cfg_scale = 1, p.guidance_interval = "0.2:0.5"; },
           {"--guidance-interval" + no_guidance}},
          {[](auto& p) { p.negative_scale = 1, p.lora = {lora + ":1:negative"}; }, {}},
          {[&](auto& p) { p.negative_scale = 0, p.negative_prompt = "wrong"; }, {"--negative-prompt" + left_out}},
          {[&](auto& p) {
             p.negative_scale = 0, p.negative_prompt = "wrong", p.negative_prompt_2 = "bad", p.negative_interval = "0:0.5";
           },
           {"--negative-prompt" + left_out, "--negative-prompt-2" + left_out,
            "--negative-interval has no effect: --negative-scale is 0"}},
          {[&](auto& p) { p.negative_scale = 1, p.negative_interval = "0:0.5"; },
           {"--negative-scale" + no_prompt, "--negative-interval" + no_prompt}},
          {[&](auto& p) { p.negative_scale = 0; }, {"--negative-scale" + no_prompt}},
          {[&](auto& p) { p.negative_scale = 0, p.lora = {lora}; }, {}},  // which acts on the positive prompt alone
          {[&](auto& p) { p.negative_scale = 1, p.negative_prompt = "wrong", p.negative_interval = "0.8:1"; },
           {"--negative-prompt" + no_step, "--negative-scale" + no_step}},
          {[](auto& p) { p.negative_interval = "0:0.5"; }, {"--negative-interval has no effect: there is no --negative-scale"}},
      });
}

TEST(WithoutEffect, OptionsOfAPictureThatARefinerTakesOver) {
  expect_all(
      on_cpu(models + "/emoji-xl/refiner"),
      {
          {[](auto& p) {
             p.refiner_start = 0.5, p.aesthetic_score = 5, p.negative_aesthetic_score = 2, p.refiner_cfg_scale = 3,
             p.target_size = "32x32", p.prompt_2 = "cat";
           },
           {}},
          {[](auto& p) { p.refiner_start = 0.5, p.negative_prompt = "wrong", p.cfg_scale = 1, p.refiner_cfg_scale = 5; }, {}},
          {[](auto& p) { p.refiner_start = 0.5, p.negative_prompt = "wrong", p.cfg_scale = 5, p.refiner_cfg_scale = 1; }, {}},
          {[](auto& p) { p.refiner_start = 0.5, p.negative_aesthetic_score = 2, p.cfg_scale = 1; },
           {"--negative-aesthetic-score" + no_guidance}},
          {[](auto& p) { p.refiner_start = 1; }, {"--refiner has no effect: it draws no step, --refiner-start is too large"}},
          {[](auto& p) { p.refiner_start = 1, p.refiner_cfg_scale = 3, p.aesthetic_score = 5; },
           {"--refiner-cfg-scale has no effect: the refiner draws no step", "--aesthetic-score" + not_told,
            "--refiner has no effect: it draws no step, --refiner-start is too large"}},
          // Timesteps 751, 501, 251, 1: the refiner takes over below 900, so the base draws none.
          {[](auto& p) { p.refiner_start = 0.1, p.refiner_cfg_scale = 3, p.cfg_scale = 5; },
           {"--cfg-scale has no effect: the base draws no step, and --refiner-cfg-scale is the refiner's"}},
          {[](auto& p) { p.refiner_start = 0.1, p.prompt_2 = "cat", p.target_size = "32x32", p.lora = {lora}; },
           {"--prompt-2 has no effect: the model that draws has one text encoder",
            "--target-size has no effect: the model that draws is not told one"}},
      });
}

TEST(WithoutEffect, OptionsOfAModelWithOneTextEncoder) {
  expect_all(
      on_cpu("", models + "/emoji-xl/refiner"),
      {
          {[](auto& p) { p.aesthetic_score = 5; }, {}},
          {[](auto& p) { p.prompt_2 = "cat", p.negative_prompt = "x", p.negative_prompt_2 = "bad", p.target_size = "32x32"; },
           {"--prompt-2 has no effect: the model that draws has one text encoder",
            "--negative-prompt-2 has no effect: the model that draws has one text encoder",
            "--target-size has no effect: the model that draws is not told one"}},
      });
}

TEST(WithoutEffect, IsAnErrorWhereThePictureWouldNotBeTheOneAskedFor) {
  const ModelOptions model = on_cpu();
  Session session = test::session(model, 1);
  PictureOptions picture = lion();
  picture.negative_prompt_2 = "bad";
  EXPECT_TRUE(error_of(ErrorKind::input, [&] {
                lines_of(session, {picture});
              }).starts_with("[--negative-prompt-2] has no effect: without --negative-prompt"));
  picture.negative_prompt_2 = "";  // as if it were absent
  EXPECT_EQ(lines_of(session, {picture}), Lines());
  picture.negative_prompt_2 = "bad";
  picture.negative_prompt = "";
  EXPECT_EQ(lines_of(session, {picture}), Lines());
}

TEST(WithoutEffect, EachLineIsSaidOnceAndDefaultsCountWhereTheyWereTyped) {
  const ModelOptions model = on_cpu();
  Session session = test::session(model, 2);
  PictureOptions unguided = lion();
  unguided.negative_prompt = "wrong";
  unguided.cfg_scale = 1;
  EXPECT_EQ(lines_of(session, {unguided, lion(), unguided}), Lines{"--negative-prompt" + no_guidance});
  EXPECT_EQ(lines_of(session, {lion()}, {"refiner_start", "steps", "out"}),
            Lines{"--refiner-start has no effect: there is no --refiner"});
}

TEST(WithoutEffect, OptionsOfTheModel) {
  ModelOptions model = on_cpu(models + "/emoji-xl/refiner");
  model.allow_unmatched = true;
  Session session = test::session(model, 2);
  PictureOptions base_alone = lion(), with_lora = lion();
  base_alone.refiner_start = 1;
  with_lora.lora = {lora};
  EXPECT_EQ(lines_of(session, {base_alone, lion()}), Lines{"--allow-unmatched has no effect: there is no --lora"});
  EXPECT_EQ(lines_of(session, {base_alone, with_lora}), Lines());
}

TEST(WithoutEffect, EmbeddingsWhoseWordIsInNoPrompt) {
  const TemporaryFolder folder;
  write_safetensors(folder / "cafe\xcc\x81.safetensors", {{"clip_l", at::zeros({1, 64})}, {"clip_g", at::zeros({1, 96})}});
  write_safetensors(folder / "stored.safetensors", {{"<toy>", at::zeros({1, 64})}});
  ModelOptions model = on_cpu();
  model.embedding = {folder / "caf\xc3\xa9.safetensors", folder / "stored.safetensors"};
  Session session = test::session(model, 1);
  EXPECT_EQ(session.embeddings()[1].also, "<toy>");
  PictureOptions picture = lion();
  EXPECT_EQ(lines_of(session, {picture}), (Lines{"--embedding has no effect: \"cafe\xcc\x81\" is in no prompt",
                                                 "--embedding has no effect: neither \"<toy>\" nor \"stored\" is in a prompt"}));
  for (const auto& change : std::vector<Change>{
           [](auto& p) { p.prompt = "A CAF\xc3\x89 with a <Toy>"; }, [](auto& p) { p.negative_prompt = "caf\xc3\xa9, stored"; },
           [](auto& p) { p.prompt_2 = "caf\xc3\xa9 stored"; },
           [](auto& p) { p.negative_prompt = "", p.negative_prompt_2 = "cafe\xcc\x81 <toy>"; }}) {
    picture = lion();
    change(picture);
    EXPECT_EQ(lines_of(session, {picture}), Lines()) << picture.prompt.value_or("no prompt");
  }
}

TEST(WithoutEffect, OptionsOfATraining) {
  TrainLoraOptions options;
  options.data.prompt = "wrong";
  EXPECT_EQ(without_effect(options), Lines());
  options.data.captions = true;
  options.data.class_count = 5;
  options.step.prior_weight = 0.5;
  options.run.validate_every = 7;
  options.text_encoder_learning_rate = 1e-4;
  EXPECT_EQ(
      without_effect(options),
      (Lines{"--prompt has no effect: with --captions each picture has its own",
             "--class-count has no effect: there is no --class-data", "--prior-weight has no effect: there is no --class-data",
             "--validate-every has no effect: there is no --validation-prompt and no --validation-data",
             "--text-encoder-learning-rate has no effect: there is no --text-encoders"}));
  options.data.captions = false;
  options.data.class_data = options.data.class_prompt = "dog";
  options.run.validation_prompt = "a dog";
  options.text_encoders = true;
  EXPECT_EQ(without_effect(options), Lines());
  TrainEmbeddingOptions embedding;
  embedding.learnable = "style";
  EXPECT_EQ(without_effect(embedding), Lines());
  embedding.data.captions = true;
  EXPECT_EQ(without_effect(embedding), Lines{"--learnable has no effect: the sentences are those of --prompt or --captions"});
}

}  // namespace negativa
