#include <csignal>
#include <thread>

#include "base/sha256.h"
#include "program.h"

namespace negativa::test {
namespace {

Workplace::Arguments train(const std::string& out, const Workplace::Arguments& more = {}) {
  Workplace::Arguments args{
      "train", "embedding", "--data", golden("dataset").string(), "--name", "zorblax",      "--steps", "6",  "--batch-size",
      "2",     "--vectors", "2",      "--learning-rate",          "1e-2",   "--resolution", "32",      "-q", "-o",
      out};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

TEST(TrainEmbedding, ItsFileDrawsAnotherPictureInPositiveAndNegativePrompts) {
  const Workplace place;
  place.results(train("zorblax.safetensors", {"--initializer", "lion", "--negative", "--save-trace", "trace.safetensors"}));
  const Json tensors = tensors_of(place / "zorblax.safetensors");
  EXPECT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors["clip_l"]["shape"][0], 2);
  EXPECT_EQ(tensors["clip_g"]["shape"][0], 2);
  const std::string bytes = place.read("zorblax.safetensors");
  for (const char* expected : {"stable-diffusion-xl-v1-base/textual-inversion", "\"modelspec.trigger_phrase\":\"zorblax\"",
                               "\"modelspec.is_negative_embedding\":\"true\""})
    EXPECT_NE(bytes.find(expected), std::string::npos) << expected;
  const Json trace = tensors_of(place / "trace.safetensors");
  EXPECT_TRUE(trace.contains("initial.clip_l") && trace.contains("gradient.clip_g") && trace.contains("step.6.input_ids_2"));
  const auto draw = [&](const std::string& out, const Workplace::Arguments& more) {
    Workplace::Arguments args{"generate", "-s", "1", "--steps", "4", "-q", "-o", out};
    args.insert(args.end(), more.begin(), more.end());
    place.results(args);
    return picture(place / out);
  };
  const Workplace::Arguments with{"--embedding", "zorblax.safetensors"};
  EXPECT_NE(draw("1.png", {"-p", "a zorblax"}), draw("2.png", {"-p", "a zorblax", with[0], with[1]}));
  EXPECT_NE(draw("3.png", {"-p", "a lion", "-n", "zorblax"}), draw("4.png", {"-p", "a lion", "-n", "zorblax", with[0], with[1]}));
}

TEST(TrainEmbedding, StoppedOrKilledItEndsInTheFileOfAnUninterruptedRun) {
  const Workplace place;
  for (const char* folder : {"whole", "stopped"}) std::filesystem::create_directory(place / folder);
  place.results(train("whole/a.safetensors", {"--steps", "20"}));
  const auto args = train("stopped/a.safetensors", {"--steps", "20", "--checkpoint-every", "2"});
  int stopped = 0;
  for (const int signal : {SIGINT, SIGKILL}) {
    const pid_t child = place.start(args);
    for (int i = 0; i < 200 && !std::filesystem::exists(place / "stopped/a.run/checkpoint-00000002.safetensors"); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ::kill(child, signal);
    stopped += exit_code_of(child) != 0;
  }
  EXPECT_GT(stopped, 0);
  place.results(args);
  EXPECT_EQ(sha256_file(place / "stopped/a.safetensors"), sha256_file(place / "whole/a.safetensors"));
  EXPECT_EQ(place.read("stopped/a.run/losses.csv"), place.read("whole/a.run/losses.csv"));
  EXPECT_TRUE(
      Json::parse(place.results(train("stopped/a.safetensors", {"--steps", "20", "--json"})))["was_finished"].get<bool>());
}

TEST(TrainEmbedding, MoreStepsGoOnToTheFileOfOneRunOfThatLengthHeaderIncluded) {
  const Workplace place;
  for (const char* folder : {"one", "more"}) std::filesystem::create_directory(place / folder);
  for (const char* steps : {"2", "4"}) place.results(train("more/a.safetensors", {"--steps", steps}));
  place.results(train("one/a.safetensors", {"--steps", "4"}));
  for (const char* file : {"a.safetensors", "a.run/losses.csv", "a.run/recipe.json"})
    EXPECT_EQ(sha256_file(place / (std::string("more/") + file)), sha256_file(place / (std::string("one/") + file))) << file;
}

TEST(TrainEmbedding, PreviewsAreDrawnWithTheNameAndHeldOutPicturesChooseTheBestStep) {
  const Workplace place;
  place.results(train("a.safetensors", {"--validation-data", golden("dataset").string(), "--validate-every", "3",
                                        "--validation-prompt", "a zorblax"}));
  EXPECT_EQ(lines_of(place.read("a.run/validation.csv")).size(), 3u);
  EXPECT_NE(picture(place / "a.run/previews/00000003.png"), picture(place / "a.run/previews/00000006.png"));
  EXPECT_EQ(tensors_of(place / "a.run/best.safetensors").size(), 2u);
}

// Each gives one line and exit code 2, and leaves no file.
TEST(TrainEmbedding, BadInputIsOneLine) {
  const Workplace place;
  const auto with = [](const std::string& flag, const std::string& value) { return train("x.safetensors", {flag, value}); };
  const std::vector<std::pair<Workplace::Arguments, std::string>> cases{
      {with("--data", "nowhere"), "nowhere"},
      {with("--name", "a"), "--name"},
      {with("--name", "lion"), "lion-look"},
      {with("--name", "zorb+"), "syntax"},
      {with("--name", "(zorb)1.2"), "syntax"},
      {with("--save-trace", "nowhere/t.safetensors"), "nowhere/t.safetensors"},
      {with("--save-trace", "./x.safetensors"), "--save-trace"},
      {with("--vectors", "0"), "--vectors"},
      {with("--vectors", "76"), "--vectors"},
      {with("--initializer", "big lion"), "2 tokens"},
      {with("--prompt", "a lion"), "zorblax"},
      {with("--captions", "--json"), "caption"},
      {with("--learnable", "colour"), "--learnable"},
      {with("--class-data", "class"), "--class-data"},
      {with("--model", bundled("refiner").string()), "refiner"},
      {train("nowhere/x.safetensors"), "nowhere"},
      {train("x.pt"), "x.pt"},
  };
  for (const auto& [args, expected] : cases) {
    const Ran ran = place.run(args);
    EXPECT_EQ(ran.exit_code, 2) << expected << ": " << ran.err;
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    EXPECT_NE(ran.err.find(expected), std::string::npos) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(place / "x.safetensors") || std::filesystem::exists(place / "x.run")) << expected;
  }
}

}  // namespace
}  // namespace negativa::test
