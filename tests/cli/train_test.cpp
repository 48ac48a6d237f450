#include <sys/stat.h>

#include <cstring>

#include "base/sha256.h"
#include "program.h"

namespace negativa::test {
namespace {

// Small enough for seconds, large enough that every part takes part: 8 steps of 2 pictures.
Workplace::Arguments train(const std::string& out, const Workplace::Arguments& more = {}) {
  Workplace::Arguments args{
      "train", "lora",   "--data", golden("dataset").string(), "--prompt", "wrong",        "--steps", "8",  "--batch-size",
      "2",     "--rank", "2",      "--learning-rate",          "1e-3",     "--resolution", "32",      "-q", "-o",
      out};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

std::string hash_of(const Workplace& place, const std::string& name) { return sha256_file(place / name); }

// The trained numbers: the bytes behind the header, which also tells the file's name.
std::string numbers_of(const Workplace& place, const std::string& name) {
  const std::string bytes = place.read(name);
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  return sha256_hex(bytes.substr(8 + header));
}

TEST(TrainLora, TwiceIsTheSameFileAndAFinishedRunIsLeftAlone) {
  const Workplace place;
  for (const char* folder : {"1", "2"}) {
    std::filesystem::create_directory(place / folder);
    place.results(train(std::string(folder) + "/a.safetensors"));
  }
  EXPECT_EQ(hash_of(place, "1/a.safetensors"), hash_of(place, "2/a.safetensors"));
  const Json again = Json::parse(place.results(train("1/a.safetensors", {"--json"})));
  EXPECT_TRUE(again["was_finished"].get<bool>());
}

// Of a run that came to its end and of one that was stopped before.
TEST(TrainLora, MoreStepsGoOnToTheFileOfOneRunOfThatLengthHeaderIncluded) {
  const Workplace place;
  const auto steps = [](const std::string& folder, const char* count, const Workplace::Arguments& more = {}) {
    Workplace::Arguments args = train(folder + "/a.safetensors", {"--steps", count, "--checkpoint-every", "2"});
    args.insert(args.end(), more.begin(), more.end());
    return args;
  };
  for (const char* folder : {"one", "finished", "stopped"}) std::filesystem::create_directory(place / folder);
  place.results(steps("one", "5"));
  place.results(steps("finished", "3"));
  std::filesystem::copy(place / "finished", place / "stopped", std::filesystem::copy_options::recursive);
  for (const char* missing : {"a.safetensors", "a.run/run.json", "a.run/checkpoint-00000003.safetensors"})
    std::filesystem::remove(place / (std::string("stopped/") + missing));
  const Ran traced = place.run(steps("finished", "5", {"--save-trace", "trace.safetensors"}));
  EXPECT_EQ(traced.exit_code, 2);
  EXPECT_TRUE(contains(traced.err, "--save-trace")) << traced.err;
  const Ran fewer = place.run(steps("finished", "2"));
  EXPECT_EQ(fewer.exit_code, 2);
  EXPECT_TRUE(contains(fewer.err, "3 steps of this run are done")) << fewer.err;
  for (const auto& [folder, from] : {std::pair{"finished", 3}, {"stopped", 2}}) {
    const Json report = Json::parse(place.results(steps(folder, "5", {"--json"})));
    EXPECT_EQ(report["resumed_from"], from);
    for (const char* file : {"a.safetensors", "a.run/losses.csv", "a.run/recipe.json", "a.run/checkpoint-00000005.safetensors"})
      EXPECT_EQ(hash_of(place, std::string(folder) + "/" + file), hash_of(place, std::string("one/") + file))
          << folder << " " << file;
  }
}

TEST(TrainLora, AccumulatedBatchesOfOneAreABatchOfTwoByteForByte) {
  const Workplace place;
  place.results(train("batch.safetensors"));
  place.results(train("accumulated.safetensors", {"--batch-size", "1", "--gradient-accumulation", "2"}));
  EXPECT_EQ(numbers_of(place, "batch.safetensors"), numbers_of(place, "accumulated.safetensors"));
  EXPECT_EQ(place.read("batch.run/losses.csv"), place.read("accumulated.run/losses.csv"));
}

TEST(TrainLora, ItsFileDrawsAnotherPictureAndFitsTheModel) {
  const Workplace place;
  place.results(train("lora.safetensors", {"--format", "kohya", "--targets", "attention+ff", "--text-encoders", "--alpha", "1"}));
  const auto draw = [&](const std::string& out, const Workplace::Arguments& more) {
    Workplace::Arguments args{"generate", "-p", "a big lion", "-s", "1", "--steps", "4", "-q", "-o", out};
    args.insert(args.end(), more.begin(), more.end());
    place.results(args);
    return picture(place / out);
  };
  EXPECT_NE(draw("plain.png", {}), draw("adapted.png", {"--lora", "lora.safetensors:20"}));
  const std::string report = place.results({"lora", "inspect", "lora.safetensors"});
  EXPECT_NE(report.find("trigger word: wrong"), std::string::npos) << report;
}

// Convolutions and DoRA: what a file of them is for, and what every training promises.
TEST(TrainLora, ADoraOfConvolutionsResumesAccumulatesAndDraws) {
  const Workplace place;
  const auto dora = [&](const std::string& out, const Workplace::Arguments& more) {
    Workplace::Arguments args{"--targets", "attention+ff+conv", "--conv-rank", "3", "--conv-alpha", "2", "--dora", "--steps",
                              "4"};
    args.insert(args.end(), more.begin(), more.end());
    return train(out, args);
  };
  place.results(dora("a.safetensors", {"--checkpoint-every", "2"}));
  place.results(dora("b.safetensors", {"--batch-size", "1", "--gradient-accumulation", "2"}));
  EXPECT_EQ(numbers_of(place, "a.safetensors"), numbers_of(place, "b.safetensors"));
  const std::string whole = hash_of(place, "a.safetensors");
  for (const char* missing : {"a.safetensors", "a.run/run.json", "a.run/checkpoint-00000004.safetensors"})
    std::filesystem::remove(place / missing);
  EXPECT_EQ(Json::parse(place.results(dora("a.safetensors", {"--checkpoint-every", "2", "--json"})))["resumed_from"], 2);
  EXPECT_EQ(hash_of(place, "a.safetensors"), whole);
  const Json report = Json::parse(place.results({"lora", "inspect", "a.safetensors", "--json"}));
  EXPECT_EQ(report["layers"][0]["kind"], "DoRA");
  EXPECT_EQ(report["metadata"]["ss_network_args"],
            R"({"algo":"lora","conv_alpha":"2.0","conv_dim":"3","dora_wd":"True","targets":"attention+ff+conv"})");
  const auto draw = [&](const std::string& out, const std::string& weight) {
    place.results(
        {"generate", "-p", "a big lion", "-s", "1", "--steps", "2", "-q", "-o", out, "--lora", "a.safetensors:" + weight});
    return picture(place / out);
  };
  EXPECT_NE(draw("plain.png", "0"), draw("adapted.png", "20"));
}

TEST(TrainLora, GoesOnFromAFileWhichIsAPartOfTheRun) {
  const Workplace place;
  place.results(train("given.safetensors", {"--format", "kohya", "--alpha", "1", "--steps", "1"}));
  place.results(train("other.safetensors", {"--format", "kohya", "--alpha", "1", "--steps", "1", "--seed", "1"}));
  // Its layers, rank and alpha are the file's; a rate of 0 leaves the numbers as they were.
  const auto go_on = [](const std::string& out, const std::string& from, const Workplace::Arguments& more) {
    Workplace::Arguments args{"train", "lora", "--data", golden("dataset").string(), "--prompt", "wrong",    "--resolution", "32",
                              "-q",    "-o",   out,      "--network-weights",        from,       "--format", "kohya"};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  };
  place.results(go_on("still.safetensors", "given.safetensors", {"--steps", "1", "--learning-rate", "0"}));
  EXPECT_EQ(numbers_of(place, "still.safetensors"), numbers_of(place, "given.safetensors"));
  place.results(go_on("on.safetensors", "given.safetensors", {"--steps", "3", "--rank", "2"}));
  EXPECT_NE(numbers_of(place, "on.safetensors"), numbers_of(place, "given.safetensors"));
  EXPECT_TRUE(Json::parse(place.results(go_on("on.safetensors", "given.safetensors", {"--steps", "3", "--json"})))["was_finished"]
                  .get<bool>());
  const Json metadata = Json::parse(place.results({"lora", "inspect", "on.safetensors", "--json"}))["metadata"];
  EXPECT_EQ(metadata["ss_network_dim"], "2");
  EXPECT_TRUE(contains(metadata["negativa.recipe"].get<std::string>(), hash_of(place, "given.safetensors")));
  place.write("broken.safetensors", "no LoRA");
  for (const auto& [args, expected] : std::vector<std::pair<Workplace::Arguments, std::string>>{
           {go_on("on.safetensors", "other.safetensors", {"--steps", "3"}), "network_weights was \"given.safetensors"},
           {go_on("x.safetensors", "given.safetensors", {"--rank", "3"}), "[--rank] got 3, but given.safetensors has 2"},
           {go_on("x.safetensors", "nowhere.safetensors", {}), "nowhere.safetensors"},
           {go_on("x.safetensors", "broken.safetensors", {}), "broken.safetensors"}}) {
    const Ran ran = place.run(args);
    EXPECT_EQ(ran.exit_code, 2) << expected;
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    EXPECT_TRUE(contains(ran.err, expected)) << ran.err;
  }
}

TEST(TrainLora, APresetFillsInWhatIsNeitherTypedNorInTheConfig) {
  const Workplace place;
  place.write("mine.toml", "steps = 7\n");
  const auto shown =
      place.results({"train", "lora", "--preset", "subject", "--rank", "2", "--config", "mine.toml", "--print-config"});
  for (const char* line : {"rank = 2 ", "steps = 7 ", "snr_gamma = 5.0 "}) EXPECT_TRUE(contains(shown, line)) << line << shown;
  EXPECT_TRUE(contains(shown, "subject.toml")) << shown;
  const std::string help = place.results({"train", "lora", "--help"});
  EXPECT_TRUE(contains(help, "quick, style, subject, wrong")) << help;
  const Ran ran = place.run({"train", "lora", "--preset", "subjct"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_TRUE(contains(ran.err, "[--preset] got \"subjct\", expected one of quick, style, subject, wrong")) << ran.err;
}

TEST(TrainLora, AFolderOfPeftsIsTrainedAsAFileIs) {
  const Workplace place;
  place.results(train("file.safetensors"));
  const auto args = train("lora", {"--format", "peft", "--json"});
  const Json report = Json::parse(place.results(args));
  EXPECT_EQ(report["sha256"], hash_of(place, "lora/adapter_model.safetensors"));
  EXPECT_EQ(numbers_of(place, "lora/adapter_model.safetensors"), numbers_of(place, "file.safetensors"));
  EXPECT_TRUE(Json::parse(place.results(args))["was_finished"].get<bool>());
  place.results(train("lora", {"--format", "peft", "--seed", "1", "--resume", "never"}));
  EXPECT_TRUE(std::filesystem::exists(place / "lora.run.1/lora/adapter_model.safetensors"));
}

TEST(TrainLora, ClassPicturesAreDrawnWhereTheyAreMissingAndHeldOutOnesChooseTheBestStep) {
  const Workplace place;
  const auto args =
      train("lora.safetensors", {"--class-data", "class", "--class-prompt", "apple", "--class-count", "2", "--validation-data",
                                 golden("dataset").string(), "--validate-every", "4", "--validation-prompt", "wrong"});
  place.results(args);
  EXPECT_TRUE(std::filesystem::exists(place / "class/class-0001.png"));
  EXPECT_FALSE(std::filesystem::exists(place / "class/class-0002.png"));
  EXPECT_EQ(lines_of(place.read("lora.run/validation.csv")).size(), 3u);
  EXPECT_TRUE(std::filesystem::exists(place / "lora.run/best.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(place / "lora.run/previews/00000008.png"));
}

// Each gives one line and exit code 2, and what was there stays as it was.
TEST(TrainLora, BadInputIsOneLine) {
  const Workplace place;
  place.results(train("done.safetensors"));
  const std::string before = hash_of(place, "done.safetensors");
  std::filesystem::create_directory(place / "empty");
  place.write("not-a-run.safetensors", "mine");
  std::filesystem::create_directory(place / "broken");
  place.write("broken/a.png", "no picture");
  ASSERT_EQ(::mkfifo((place / "pipe.safetensors").c_str(), 0600), 0);  // nobody reads it
  const auto with = [](const std::string& flag, const std::string& value) { return train("x.safetensors", {flag, value}); };
  const std::vector<std::pair<Workplace::Arguments, std::string>> cases{
      {with("--data", "nowhere"), "nowhere"},
      {with("--data", (place / "empty").string()), "empty"},
      {with("--data", (place / "broken").string()), "a.png"},
      {with("--prompt", ""), "--prompt"},
      {with("--rank", "0"), "--rank"},
      {with("--steps", "-1"), "--steps"},
      {with("--learning-rate", "nan"), "--learning-rate"},
      {with("--lr-scheduler", "linear"), "--lr-scheduler"},
      {with("--optimizer", "prodigy"), "--optimizer"},
      {with("--targets", "conv"), "--targets"},
      {with("--format", "lycoris"), "--format"},
      {with("--resolution", "33"), "--resolution"},
      {with("--class-data", "class"), "--class-prompt"},
      {with("--model", "nowhere"), "nowhere"},
      {with("--model", bundled("refiner").string()), "refiner"},
      {with("--dtype", "fp16"), "fp16"},
      {with("--config", "nowhere.toml"), "nowhere.toml"},
      {with("--alpha", "0"), "--alpha"},
      {with("--captions", "--json"), "caption"},
      {train("done.safetensors", {"--rank", "3"}), "rank was 2, is 3"},
      {train("done.safetensors", {"--steps", "7"}), "8 steps of this run are done"},
      {train("not-a-run.safetensors"), "belongs to no run"},
      {train("nowhere/x.safetensors"), "nowhere"},
      {train("x.txt"), "x.txt"},
      {train("pipe.safetensors"), "pipe or socket"},
  };
  for (const auto& [args, expected] : cases) {
    const Ran ran = place.run(args);
    EXPECT_EQ(ran.exit_code, 2) << expected << ": " << ran.err;
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    EXPECT_NE(ran.err.find(expected), std::string::npos) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(place / "x.safetensors"));
  }
  EXPECT_EQ(hash_of(place, "done.safetensors"), before);
  EXPECT_EQ(place.read("not-a-run.safetensors"), "mine");
}

// Both are bytes of a child process, so neither other tests nor the machine's load matter.
// Of a miniature's 250 MiB most are the libraries' own pages, which differ from CPU to CPU; at full size predictions hold to a
// tenth (docs/training.md).
TEST(TrainLora, TakesTheMemoryThatADryRunPredicts) {
  const Workplace place;
  for (const auto& more : {Workplace::Arguments{},
                           {"--gradient-checkpointing", "--resolution", "128"},
                           {"--rank", "64", "--batch-size", "1"},
                           {"--resolution", "32", "--validation-prompt", "wrong"}}) {
    const auto args = [&](const std::string& last) {
      Workplace::Arguments all{"train",        "lora",   "--data",   golden("dataset").string(),
                               "--prompt",     "wrong",  "--steps",  "2",
                               "--batch-size", "2",      "--resume", "never",
                               "-q",           "--json", "-o",       "a.safetensors"};
      all.insert(all.end(), more.begin(), more.end());
      if (!last.empty()) all.push_back(last);
      return all;
    };
    const double predicted = Json::parse(place.results(args("--dry-run")))["peak_gib"].get<double>() * (1 << 30);
    const auto measured = Json::parse(place.results(args("")))["peak_memory_bytes"].get<double>();
    EXPECT_NEAR(predicted / measured, 1, 0.2) << predicted << " predicted, " << measured << " measured";
  }
}

TEST(TrainLora, ADryRunAdvisesWhatIsNotSetAlready) {
  const Workplace place;
  const auto advice = [&](const Workplace::Arguments& more) {
    Workplace::Arguments all{"train",    "lora",  "--data",       golden("dataset").string(),
                             "--prompt", "wrong", "--dry-run",    "--json",
                             "-q",       "-o",    "a.safetensors"};
    all.insert(all.end(), more.begin(), more.end());
    return Json::parse(place.results(all))["would_help"].dump();
  };
  EXPECT_TRUE(contains(advice({}), "--weights-dtype int8"));
  EXPECT_FALSE(contains(advice({}), "no --validation-prompt"));
  EXPECT_TRUE(contains(advice({"--resolution", "32", "--validation-prompt", "wrong"}), "no --validation-prompt"));
  EXPECT_FALSE(contains(advice({"--gradient-checkpointing"}), "gradient-checkpointing"));
  EXPECT_FALSE(contains(advice({"--weights-dtype", "int8"}), "int8"));
}

TEST(TrainLora, ACheckpointOfAnotherRunIsRefusedAndAnOlderRunIsMovedAside) {
  const Workplace place;
  place.results(train("a.safetensors"));
  place.results(train("b.safetensors", {"--seed", "1"}));
  std::filesystem::remove(place / "b.run/run.json");
  std::filesystem::copy_file(place / "a.run/checkpoint-00000008.safetensors", place / "b.run/checkpoint-00000008.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  const Ran ran = place.run(train("b.safetensors", {"--seed", "1"}));
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_NE(ran.err.find("checkpoint of another run"), std::string::npos) << ran.err;
  place.results(train("b.safetensors", {"--seed", "2", "--resume", "never"}));
  EXPECT_TRUE(std::filesystem::exists(place / "b.run.1/b.safetensors"));
  EXPECT_TRUE(std::filesystem::exists(place / "b.safetensors"));
}

TEST(TrainLora, AFullDiskLosesNothing) {
  Workplace place;
  place.results(train("whole.safetensors"));
  place.largest_file_bytes = 300'000;  // less than a checkpoint
  const Ran ran = place.run(train("lora.safetensors", {"--checkpoint-every", "2"}));
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(place / "lora.safetensors"));
  place.largest_file_bytes = 0;
  place.results(train("lora.safetensors", {"--checkpoint-every", "2"}));
  EXPECT_EQ(numbers_of(place, "lora.safetensors"), numbers_of(place, "whole.safetensors"));
  for (const auto& [step, is_kept] : {std::pair{4, false}, {6, true}, {8, true}})
    EXPECT_EQ(std::filesystem::exists(place / fmt::format("lora.run/checkpoint-{:08}.safetensors", step)), is_kept) << step;
}

TEST(TrainLora, ALossThatIsNotFiniteNamesPictureAndStepAndKeepsTheStepsBefore) {
  const Workplace place;
  const Ran ran = place.run(
      train("lora.safetensors", {"--learning-rate", "100", "--steps", "50", "--max-grad-norm", "0", "--resolution", "32"}));
  if (ran.exit_code == 0) GTEST_SKIP() << "a learning rate of 100 stayed finite";
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_NE(ran.err.find("step"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("at timestep"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace negativa::test
