#include "jobs/experiment_notices.h"

#include "base/temporary_folder.h"
#include "engine/test_engine.h"

namespace negativa {
namespace {

std::vector<std::string> lines_of(const std::string& toml) {
  return experiment_notices(test::engine(), parse_experiment(toml, "x.toml"), test::nobody());
}

TEST(ExperimentNotices, NameOptionsThatChangeNoPictureOfTheirArm) {
  const auto lines = lines_of(R"([default]
steps = 4
negative_interval = "0:0.5"
aesthetic_score = 5
[prompts]
test = ["frog on a teal background"]
[sets.a]
keywords = ["blurry"]
caption = "wrong"
[embeddings.a]
set = "a"
[arms.nothing]
[arms.apart]
negative_prompt = "wrong"
negative_scale = 1
[arms.unguided]
cfg_scale = 1
negative_prompt = "wrong"
[arms.word]
negative_prompt = "a"
embedding = ["a"]
[arms.its-word]
negative_prompt = "<A>"
embedding = ["a"]
)");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0].substr(0, 56), "x.toml line 18: arms.unguided --negative-prompt has no e");
  EXPECT_EQ(lines[1], "x.toml line 21: arms.word --embedding has no effect: \"<a>\" is in no prompt");
  EXPECT_EQ(lines[2].substr(0, 51), "x.toml line 4: default --aesthetic-score has no eff") << "the interval has one in an arm";
}

TEST(ExperimentNotices, SayNothingOfTheStockExperiments) {
  for (const char* name : {"demo.toml", "emoji.toml"}) {
    const auto file = read_experiment(test::source_folder() / "experiments/wrong" / name);
    EXPECT_EQ(experiment_notices(test::engine(), file, test::nobody()), std::vector<std::string>{}) << name;
  }
}

TEST(ExperimentNotices, SayOnceWhatIsOddAboutAModelWhoseStepsNobodyChose) {
  const TemporaryFolder place;
  std::filesystem::create_directory(place / "my-turbo");
  for (const auto& part : std::filesystem::directory_iterator(test::bundled_model()))
    std::filesystem::create_symlink(part.path(), place / "my-turbo" / part.path().filename());
  const std::string rest = "[prompts]\ntest = [\"frog\"]\n[arms.nothing]\n[arms.word]\nnegative_prompt = \"wrong\"\n";
  const std::string model = "model = \"" + (place / "my-turbo").string() + "\"\n[default]\n";
  const auto lines = lines_of(model + rest);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].substr(0, 49), "x.toml: my-turbo looks distilled to few steps (it");
  EXPECT_EQ(lines_of(model + "steps = 8\n" + rest).size(), 0u);
  EXPECT_EQ(lines_of(model + rest + "cfg_scale = 3\n").size(), 1u) << "the other arm has the default";
}

TEST(ExperimentNotices, AnOptionThatThePictureWouldNeedIsAnError) {
  const std::string line = error_of(ErrorKind::input, [] {
    lines_of("[prompts]\ntest = [\"frog\"]\n[arms.nothing]\n[arms.odd]\nnegative_prompt_2 = \"wrong\"\nrefiner_start = 0.5\n");
  });
  EXPECT_NE(line.find("x.toml line 4] arms.odd"), std::string::npos) << line;
}

}  // namespace
}  // namespace negativa
