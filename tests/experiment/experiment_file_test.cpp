#include "experiment/experiment_file.h"

#include "base/files.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "every_table.h"
#include "experiment/references.h"
#include "golden_file.h"

namespace negativa {
namespace {

using test::small_experiment;
using test::small_experiment_with;

ExperimentFile parsed(const std::string& text, const Path& path = "x.toml") { return parse_experiment(text, path); }
ExperimentFile stock(const char* name) { return read_experiment(test::source_folder() / "experiments/wrong" / name); }

std::vector<std::string> names_of(const std::vector<ArmTable>& arms) {
  std::vector<std::string> names;
  for (const auto& arm : arms) names.push_back(arm.name);
  return names;
}

const ArmTable& arm_of(const ExperimentFile& file, const std::string& name) {
  for (const auto& arm : file.arms)
    if (arm.name == name) return arm;
  throw std::logic_error(name);
}

using Names = std::vector<std::string>;

TEST(ExperimentFile, LaysArmsOverTheDefault) {
  const ExperimentFile file = parsed(small_experiment);
  EXPECT_EQ(file.name, "x");
  EXPECT_EQ(names_of(file.arms), (Names{"nothing", "article", "mixed", "word"}));
  const ArmTable& article = arm_of(file, "article");
  EXPECT_EQ(article.draw.picture.steps, 4);
  EXPECT_EQ(article.draw.picture.cfg_scale, 4);
  EXPECT_EQ(article.draw.picture.negative_prompt, "wrong");
  EXPECT_EQ(parse_json(article.overrides_json, "x"), Json({{"negative_prompt", "wrong"}, {"lora", {"wrong"}}}));
  EXPECT_EQ(article.list, "test");
  EXPECT_EQ(article.replicates, 2);
  EXPECT_EQ(arm_of(file, "nothing").overrides_json, "{}");
  EXPECT_EQ(arm_of(file, "word").draw.picture.cfg_scale, 5);
  EXPECT_TRUE(arm_of(file, "mixed").negative_is_prompt);
  EXPECT_FALSE(arm_of(file, "mixed").draw.picture.negative_prompt);
  EXPECT_EQ(file.prompts.lists.at("test").front().group, "animals");
  EXPECT_EQ(file.analysis.claim, "these") << "one training";
  EXPECT_TRUE(file.notices.empty());
}

TEST(ExperimentFile, KnowsWhatIsTrained) {
  const ExperimentFile file = parsed(small_experiment);
  EXPECT_FALSE(has_trained(file, arm_of(file, "nothing").draw));
  for (const char* name : {"article", "mixed", "word"}) EXPECT_TRUE(has_trained(file, arm_of(file, name).draw)) << name;
  ASSERT_EQ(file.loras.size(), 3u);
  EXPECT_EQ(file.loras[0].train.step.steps, 20);
  EXPECT_EQ(file.loras[0].checkpoints, std::vector<int64_t>{10});
  EXPECT_EQ(file.sets[0].cfg_scales, (std::vector<double>{4, 6}));
}

TEST(ExperimentFile, SweepsDrawEachCombinationAndTheColumnThatHasNone) {
  EXPECT_EQ(names_of(parsed(small_experiment).sweeps[0].arms), (Names{"cfg/nothing/cfg_scale=8", "cfg/article/cfg_scale=8"}))
      << "at 4 the arms' own columns are there";
  const ExperimentFile file = parsed(std::string(small_experiment) + R"(
[sweeps.grid]
training_seeds = 3
lora = ["wrong:0.5", ["wrong", "random"], []]
sampler = ["euler", "heun"]
)");
  const SweepTable& grid = file.sweeps[1];
  EXPECT_EQ(names_of(grid.arms), (Names{"grid/default", "grid/lora=wrong:0.5,sampler=euler", "grid/lora=wrong:0.5,sampler=heun",
                                        "grid/lora=wrong+random,sampler=euler", "grid/lora=wrong+random,sampler=heun",
                                        "grid/lora=none,sampler=euler", "grid/lora=none,sampler=heun"}))
      << "the default has no column of three trainings";
  EXPECT_EQ(grid.of_arm[1], "");
  EXPECT_EQ(grid.axes[3][0], (std::pair<std::string, std::string>("lora", "wrong+random")));
  EXPECT_EQ(grid.arms[3].draw.picture.lora, (Names{"wrong", "random"}));
  EXPECT_EQ(grid.arms[3].training_seeds, 3);
}

TEST(ExperimentFile, CrossesWhatIsTuned) {
  const ExperimentFile file = parsed(small_experiment);
  ASSERT_EQ(file.tune->candidates.size(), 4u);
  EXPECT_EQ(file.tune->candidates[1].weight, 0.5);
  EXPECT_EQ(file.tune->candidates[1].steps, 20);
  EXPECT_EQ(file.tune->baseline, "nothing");
  const ExperimentFile listed = parsed(small_experiment_with("weight = [0.5, 1]\nsteps = [10, 20]",
                                                             "candidates = [{ weight = 0.5 }, { cfg_scale = 3, steps = 10 }]"));
  ASSERT_EQ(listed.tune->candidates.size(), 2u);
  EXPECT_EQ(listed.tune->candidates[1].cfg_scale, 3);
  EXPECT_FALSE(listed.tune->candidates[1].weight);
}

TEST(ExperimentFile, FindsFilesBesideIt) {
  const TemporaryFolder place;
  write_atomically(place / "other.safetensors", "x");
  write_atomically(place / "list.jsonl", "\xef\xbb\xbf{\"prompt\": \"bus\"}\n\n{\"prompt\": \"owl\", \"group\": \"animals\"}\n");
  std::filesystem::create_directory(place / "vae");
  const ExperimentFile file = parsed(R"(
judge = "judges/one"
[default]
vae = "vae"
refiner = "sdxl-refiner"
[prompts]
test = "list.jsonl"
[arms.nothing]
[arms.other]
lora = ["other.safetensors:0.5:negative"]
)",
                                     place / "x.toml");
  EXPECT_EQ(file.options.judge, place / "judges/one");
  EXPECT_EQ(file.defaults.model.vae, (place / "vae").string());
  EXPECT_EQ(file.defaults.model.refiner, "sdxl-refiner") << "no such folder here: a name in $NEGATIVA_MODELS";
  EXPECT_EQ(arm_of(file, "other").draw.picture.lora, Names{(place / "other.safetensors").string() + ":0.5:negative"});
  EXPECT_EQ(parse_json(arm_of(file, "other").overrides_json, "x")["lora"], Json({"other.safetensors:0.5:negative"}));
  EXPECT_EQ(file.config_json.find(place.path().string()), std::string::npos) << "the same run wherever the file lies";
  ASSERT_EQ(file.prompts.lists.at("test").size(), 2u);
  EXPECT_EQ(file.prompts.lists.at("test")[1].group, "animals");
  ASSERT_EQ(file.prompts.files.size(), 1u);
  EXPECT_EQ(file.prompts.files[0].name, "list.jsonl");

  write_atomically(place / "list.jsonl", "{\"prompt\": \"bus\"}\n{\"prompt\": 3}\n");
  const std::string line =
      error_of(ErrorKind::file_format, [&] { parsed("[prompts]\ntest = \"list.jsonl\"\n[arms.a]\n", place / "x.toml"); });
  EXPECT_NE(line.find("list.jsonl line 2"), std::string::npos) << line;
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { read_experiment(place.path()); }), "is a folder"));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { read_experiment(place / "none.toml"); }), "none.toml"));
}

TEST(ExperimentFile, NoticesWhatNothingUses) {
  const auto notices = parsed(small_experiment_with("[arms.word]\nnegative_prompt = \"<wrong>\"\nembedding = [\"wrong\"]\n",
                                                    "[sets.idle]\ntemplate = \"{subject}\"\nsubjects = [\"bus\"]\n[arms.word]\n"))
                           .notices;
  ASSERT_EQ(notices.size(), 2u);
  EXPECT_EQ(notices[0], "x.toml line 47: nothing uses sets.idle, so it is not made");
  EXPECT_EQ(notices[1], "x.toml line 33: nothing uses embeddings.wrong, so it is not made");
  const std::string text = small_experiment;
  const auto without_tune = parsed(std::string(text).erase(text.find("[tune]"), text.find("[analysis]") - text.find("[tune]")));
  ASSERT_EQ(without_tune.notices.size(), 1u);
  EXPECT_NE(without_tune.notices[0].find("no arm draws prompts.tune"), std::string::npos);
}

TEST(ExperimentFile, PrintedItNamesSourcesAndReadsBackTheSame) {
  const std::string printed = print_experiment(parsed(small_experiment));
  EXPECT_NE(printed.find("\nsteps = 4  # line 6\n"), std::string::npos) << printed;
  EXPECT_NE(printed.find("\nguidance_rescale = 0.0  # default\n"), std::string::npos) << printed;
  EXPECT_LT(printed.find("[arms.nothing]"), printed.find("[arms.article]")) << "as in the file";
  std::vector<ExperimentFile> files{parsed(small_experiment),
                                    parsed(small_experiment_with("seed = 7", "seed = \"18446744073709551615\""))};
  for (const char* name : {"demo.toml", "emoji.toml", "sdxl.toml"}) files.push_back(stock(name));
  for (const auto& file : files) {
    const ExperimentFile again = parse_experiment(print_experiment(file), file.path);
    EXPECT_EQ(again.config_json, file.config_json) << file.path;
    EXPECT_EQ(again.choice_json, file.choice_json) << file.path;
    EXPECT_EQ(names_of(again.arms), names_of(file.arms)) << file.path;
  }
  EXPECT_EQ(files[1].options.seed, 18446744073709551615u);
}

TEST(ExperimentFile, DiffersByMeaningAlone) {
  const std::string run = parsed(small_experiment).config_json;
  const auto difference = [&](const std::string& text) { return first_difference(run, parsed(text)); };
  EXPECT_EQ(difference(small_experiment), "");
  EXPECT_EQ(difference(small_experiment_with("steps = 4  # few\ncfg_scale = 4", "# more\ncfg_scale = 4.0\n\nsteps = 0x4")), "");
  EXPECT_EQ(parsed(small_experiment_with("cfg_scale = [4, 8]", "cfg_scale = [4.0, 8.0]")).config_json, run);
  EXPECT_EQ(difference(small_experiment_with("weight = [0.5, 1]", "weight = [0.25, 1]")), "") << "candidates decide no cell";
  EXPECT_EQ(difference(small_experiment_with("lora = [\"wrong\"]", "lora = [\"wrong:2\"]")),
            "line 41 (arms.article.lora): the run has [\"wrong\"], the file [\"wrong:2\"]");
  EXPECT_EQ(difference(small_experiment_with("cfg_scale = 5\n", "")),
            "line 47 (arms.word.cfg_scale): the run has 5.0, the file has it not");
  EXPECT_EQ(difference(small_experiment_with("[arms.nothing]", "[arms.nothing]\nsampler = \"heun\"")),
            "line 38 (arms.nothing.sampler): the run has it not, the file \"heun\"");
  EXPECT_EQ(difference(small_experiment_with("pizza on a red", "taco on a red")).substr(0, 27), "line 12 (prompts.test[1]): ");
}

TEST(ExperimentFile, ChangesOneValueAndNothingElse) {
  const std::string text =
      "# top\na = 1 # one\n\n[x]  # table\nlist = [\n  \"#]\", # comment ]\n  'b',\n]  # end\nname = \"ä#\" # ü\n"
      "sub.key = 3\n[x.y]\nz = { \"ö\" = 1, k = 2 } # inline\n";
  const auto expect = [&](const char* key, const char* value, const std::string& from, const std::string& to) {
    std::string wanted = text;
    wanted.replace(wanted.find(from), from.size(), to);
    EXPECT_EQ(with_value(text, key, value), wanted) << key;
  };
  expect("a", "[2]", "a = 1 #", "a = [2] #");
  expect("x.list", "[]", "[\n  \"#]\", # comment ]\n  'b',\n]", "[]");
  expect("x.name", "3", "\"ä#\"", "3");
  expect("x.y.z.k", "0.5", "k = 2", "k = 0.5");
  expect("x.sub.key", "4", "key = 3", "key = 4");
  expect("b", "2", "a = 1 # one\n", "a = 1 # one\nb = 2\n");
  expect("x.new", "2", "sub.key = 3\n", "sub.key = 3\nnew = 2\n");
  expect("x.y.new", "2", "# inline\n", "# inline\nnew = 2\n");
  expect("w.new", "2", "# inline\n", "# inline\n\n[w]\nnew = 2\n");
  EXPECT_EQ(with_value("[t]", "t.k", "1"), "[t]\nk = 1\n");
  EXPECT_EQ(with_value("[t]\n", "k", "1"), "k = 1\n[t]\n");
  EXPECT_EQ(with_value("k = 1\r\nl = 2\r\n", "k", "3"), "k = 3\r\nl = 2\r\n");
  EXPECT_EQ(with_value("", "t.k", "1"), "\n[t]\nk = 1\n");
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [] { with_value("[arms]\na.b = 1\n", "arms.a.c", "2"); }), "arms.a"));
}

}  // namespace
}  // namespace negativa
