#include "base/files.h"
#include "base/temporary_folder.h"
#include "jobs/engine.h"

namespace negativa {

namespace {

ModelOptions on_cpu() {
  ModelOptions options;
  options.device = "cpu";
  return options;
}

}  // namespace

TEST(ParseSize, ReadsTwoNumbers) {
  const SizePx size = parse_size("768x1024", 'x', "--original-size");
  EXPECT_EQ(size.height, 768);
  EXPECT_EQ(size.width, 1024);
  EXPECT_EQ(parse_size("0,64", ',', "--crop-top-left").width, 64);
}

TEST(ParseSize, RefusesTheRestNamingTheFlag) {
  for (const char* text : {"", "x", "768", "768x", "x768", "768x1024x3", "768,1024", "-1x8", "7.5x8", "99999999999999999999x8"}) {
    const std::string message = error_of(ErrorKind::input, [&] { parse_size(text, 'x', "--target-size"); });
    EXPECT_TRUE(message.starts_with("[--target-size] got ")) << message;
  }
}

TEST(ParseInterval, ReadsSharesInOrder) {
  const auto interval = parse_interval("0.25:0.75");
  EXPECT_EQ(interval.begin, 0.25);
  EXPECT_EQ(interval.end, 0.75);
  for (const char* text : {"", ":", "0.5", "0.9:0.1", "-1:1", "0:1.5", "nan:1", "0:1:1", "a:b"})
    error_of(ErrorKind::input, [&] { parse_interval(text); });
}

TEST(EmbeddingSpec, IsAFileWithOrWithoutAName) {
  const TemporaryFolder folder;
  const std::string odd = folder / "a=b.safetensors";
  write_atomically(odd, "");
  EXPECT_EQ(parse_embedding_spec("dir/bad.safetensors"), (EmbeddingSpec{"dir/bad.safetensors", {}}));
  EXPECT_EQ(parse_embedding_spec("dir/bad.safetensors=wrong"), (EmbeddingSpec{"dir/bad.safetensors", "wrong"}));
  EXPECT_EQ(parse_embedding_spec(odd), (EmbeddingSpec{odd, {}}));
  EXPECT_EQ(parse_embedding_spec(odd + "=c"), (EmbeddingSpec{odd, "c"}));
  for (const char* text : {"file=", "=name"}) error_of(ErrorKind::input, [&] { parse_embedding_spec(text); });
}

TEST(EngineResolved, AnswersWhatIsAbsentFromTheModel) {
  const Engine engine(on_cpu(), 1);
  PictureOptions options;
  options.cfg_scale = 4;
  PictureOptions done = engine.resolved(options);
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
  done = engine.resolved(options);
  EXPECT_EQ(done.original_size, "64x96");
  EXPECT_EQ(done.target_size, "64x96");
  EXPECT_EQ(done.sampler, "dpmpp_2m");
}

TEST(EnginePlan, EmptySecondPromptsFollowTheFirst) {
  Engine engine(on_cpu(), 1);
  PictureOptions options;
  options.prompt = "lion";
  options.seed = 1;
  options.prompt_2 = options.negative_prompt_2 = "";
  const Plan plan = engine.plan(options);
  EXPECT_EQ(plan.prompt_2, "lion");
  EXPECT_FALSE(plan.negative_prompt.has_value());
  EXPECT_FALSE(plan.negative_prompt_2.has_value());
  EXPECT_FALSE(plan.refiner_start.has_value()) << "there is no refiner";
}

TEST(EngineStorage, IsAskedForAllPartsOrByPart) {
  ModelOptions options = on_cpu();
  for (const char* text : {"fp16", "int8", "text_encoder:fp32,text_encoder_2:fp16,unet:bf16,vae:fp32"}) {
    options.weights_dtype = text;
    EXPECT_EQ(Engine(options, 1).weights_dtype(), text);
  }
  options.weights_dtype = "unet:fp16";
  EXPECT_EQ(Engine(options, 1).weights_dtype(), "text_encoder:fp32,text_encoder_2:fp32,unet:fp16,vae:fp32");
  for (const char* text : {"", "fp8", "unet:", "unet:fp16,", "nnet:fp16", "unet=fp16", "unet:auto"}) {
    options.weights_dtype = text;
    EXPECT_TRUE(error_of(ErrorKind::input, [&] { Engine(options, 1); }).starts_with("[--weights-dtype] got ")) << text;
  }
}

TEST(EngineRun, StageByStageAndSideBySideGiveTheSameBytes) {
  ModelOptions model = on_cpu();
  model.threads = 2;
  std::map<size_t, Tensor> made[2];
  for (const bool keep_parts : {false, true}) {
    Engine engine(model, 3, keep_parts);
    std::vector<Plan> plans;
    for (uint64_t seed = 0; seed < 3; ++seed) {
      PictureOptions options;
      options.prompt = "lion";
      options.steps = 2;
      options.seed = seed;
      plans.push_back(engine.plan(options));
    }
    engine.run(plans, {}, [&](size_t i, ImageResult&& result) { made[keep_parts][i] = result.image; });
    EXPECT_EQ(engine.models().loads(), (std::map<std::string, int>{{"text", 1}, {"unet", 1}, {"vae", 1}}));
  }
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(at::equal(made[0][i], made[1][i])) << i;
}

TEST(EngineRun, ThrowsTheFirstErrorOfItsWorkers) {
  ModelOptions model = on_cpu();
  model.threads = 2;
  Engine engine(model, 4);
  PictureOptions options;
  options.prompt = "lion";
  options.steps = 1;
  options.seed = 1;
  const std::vector<Plan> plans(4, engine.plan(options));
  int made = 0;
  const auto stop = [&](size_t, ImageResult&&) {
    ++made;
    fail(ErrorKind::machine, "the disk is full");
  };
  EXPECT_EQ(error_of(ErrorKind::machine, [&] { engine.run(plans, {}, stop); }), "the disk is full");
  EXPECT_LE(made, 2);
}

}  // namespace negativa
