#include "train/embedding_trainer.h"

#include "base/temporary_folder.h"
#include "golden_file.h"
#include "text/text_models.h"

namespace negativa {
namespace {

TrainEmbeddingOptions options(const std::string& name = "zorblax") {
  TrainEmbeddingOptions options;
  options.name = name;
  options.vectors = 2;
  options.data.data = test::source_folder() / "tests/golden/dataset";
  options.data.resolution = 32;
  options.run.out = "zorblax.safetensors";
  options.model.dtype = "fp64";
  options.model.threads = 2;
  return options;
}

EmbeddingTraining plan(const TrainEmbeddingOptions& options) { return plan_embedding_training(options, {test::places()}); }

std::string error_of(const TrainEmbeddingOptions& options) {
  try {
    plan(options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// All of one step in fp64, with a row of random numbers.
struct Step {
  EmbeddingTraining training;
  NoiseSchedule schedule;
  UNet unet;
  TextModels text;
  EmbeddingParameters parameters;
  std::vector<TrainingRow> rows;

  explicit Step(const TrainEmbeddingOptions& given)
      : training(plan(given)),
        schedule(make_noise_schedule(training.scheduler())),
        unet(training.unet()),
        text(load_text_models(training.files(), [](const std::string&, const Weights&) { return load_options(); })),
        parameters(training.start, at::kDouble) {
    unet.load(training.files().weights("unet"), load_options());
    Generator generator(1);
    TrainingRow row;
    row.latents = generator.randn({1, 4, 8, 8}).to(at::kDouble);
    row.noise = generator.randn({1, 4, 8, 8}).to(at::kDouble);
    row.timestep = 300;
    row.caption = "a picture of " + given.name;
    row.time_ids = time_ids(training.pictures.examples.front().size_cond()).unsqueeze(0);
    rows.push_back(row);
  }
  static nn::LoadOptions load_options() {
    nn::LoadOptions options;
    options.storage = at::kDouble;
    return options;
  }
  StepRunner runner(bool gradient_checkpointing = false) {
    return {{unet, &text, schedule, at::kDouble, at::kCPU, 1, gradient_checkpointing}, parameters};
  }
};

TEST(EmbeddingTrainer, GradientsOfTheVectorsAreCentralDifferencesOfTheLoss) {
  Step step(options());
  StepRunner runner = step.runner();
  const Tensor gradient = runner.run(step.rows, nullptr).gradient;
  Generator generator(2);
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, step.training.start.clip_l.numel()},
                                   {step.training.start.clip_l.numel(), gradient.numel()}}) {
    Tensor direction = at::zeros_like(gradient);
    direction.narrow(0, begin, end - begin).copy_(generator.randn({end - begin}));
    const double length = 1e-5 / direction.norm().item<double>();
    const auto loss_at = [&](double factor) {
      step.parameters.flat().add_(direction, factor);
      const double loss = runner.evaluate(step.rows, nullptr);
      step.parameters.flat().sub_(direction, factor);
      return loss;
    };
    const double expected = (loss_at(length) - loss_at(-length)) / (2 * length), got = gradient.dot(direction).item<double>();
    ASSERT_GT(std::abs(expected), 1e-6);
    EXPECT_NEAR(got, expected, 1e-5 * std::abs(expected));
  }
}

TEST(EmbeddingTrainer, BothEncodersVectorsAreTrainedFromWhereTheyStart) {
  Step step(options());
  const auto& start = step.training.start;
  const Embedding trained = step.parameters.trained().embeddings.front();
  EXPECT_TRUE(trained.clip_l.equal(start.clip_l) && trained.clip_g.equal(start.clip_g));
  std::map<std::string, Tensor> named;
  step.parameters.name_parts("initial.", step.parameters.flat(), named);
  EXPECT_TRUE(named.at("initial.clip_g").to(at::kFloat).equal(start.clip_g));
}

TEST(EmbeddingTrainer, GradientCheckpointingChangesNoGradient) {
  Step step(options());
  const Tensor kept = step.runner().run(step.rows, nullptr).gradient, again = step.runner(true).run(step.rows, nullptr).gradient;
  EXPECT_GT(kept.norm().item<double>(), 0);
  EXPECT_LT(test::relative_error(again, kept), 1e-10);
}

TEST(EmbeddingTrainer, VectorsBeginAsTheInitializersRowOrAsSpreadAsTheVocabulary) {
  TrainEmbeddingOptions with = options();
  with.initializer = "lion";
  const Embedding start = plan(with).start;
  const ModelFiles files = open_model(test::bundled_model());
  const TextModels text = load_text_models(files, [](const std::string&, const Weights&) { return nn::LoadOptions(); });
  const auto id = text.second.tokenizer.encode("lion");
  ASSERT_EQ(id.size(), 1u);
  const Tensor table = text.second.model.text_model.embeddings.token_embedding.weight.to(at::kFloat);
  EXPECT_TRUE(start.clip_g.equal(table[id[0]].expand({2, -1})));
  const Tensor random = plan(options()).start.clip_g;
  EXPECT_NEAR(random.std().item<double>(), table.std().item<double>(), 0.2 * table.std().item<double>());
  EXPECT_TRUE(random.equal(plan(options()).start.clip_g));
  EXPECT_FALSE(random[0].equal(random[1]));
}

TEST(EmbeddingTrainer, SentencesCarryTheNameUnlessAPromptOrCaptionsAreGiven) {
  const auto sentences = plan(options()).captions;
  EXPECT_GT(sentences.size(), 5u);
  for (const auto& sentence : sentences) EXPECT_NE(sentence.find("zorblax"), std::string::npos);
  TrainEmbeddingOptions with = options();
  with.data.prompt = "a big Zorblax";  // names are matched in lower case
  EXPECT_EQ(plan(with).captions, std::vector<std::string>{"a big Zorblax"});
}

TEST(EmbeddingTrainer, ErrorsNameTheOptionAndWhatWasGiven) {
  const auto expect = [](const std::string& expected, const TrainEmbeddingOptions& wrong) {
    const std::string error = error_of(wrong);
    EXPECT_NE(error.find(expected), std::string::npos) << expected << ": " << error;
    EXPECT_EQ(error.find('\n'), std::string::npos);
  };
  TrainEmbeddingOptions wrong = options("a");
  expect("[--name] got \"a\"", wrong);
  wrong = options();
  wrong.initializer = "big lion";
  expect("\"big</w>\", \"lion</w>\"", wrong);
  wrong = options();
  wrong.data.prompt = "a big lion";
  expect("[--prompt] got \"a big lion\"", wrong);
  wrong = options();
  wrong.run.validation_prompt = "a big lion";
  expect("[--validation-prompt]", wrong);
  wrong = options();
  wrong.vectors = 75;
  expect("fewer --vectors", wrong);
  wrong = options();
  wrong.data.captions = true;
  wrong.data.prompt = "zorblax";
  expect("[--captions]", wrong);
  const TemporaryFolder folder;
  std::filesystem::copy(test::source_folder() / "tests/golden/dataset/small.png", folder / "a.png");
  write_atomically(folder / "a.txt", "red apple");
  wrong = options();
  wrong.data.data = folder.path();
  wrong.data.captions = true;
  expect("[a.png] got \"red apple\"", wrong);
}

}  // namespace
}  // namespace negativa
