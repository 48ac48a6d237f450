// Every kind of wrong TOML is refused in one line that names file, line and key.
#include <gtest/gtest.h>

#include <algorithm>

#include "every_table.h"
#include "experiment/experiment_file.h"

namespace negativa {
namespace {

int line_of(const std::string& text, const std::string& part) {
  const auto at = text.find(part);
  return at == std::string::npos ? 0 : 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<long>(at), '\n'));
}

std::string error_of_text(const std::string& text, const Path& path = "x.toml") {
  try {
    parse_experiment(text, path);
  } catch (const Error& error) {
    EXPECT_TRUE(error.kind() == ErrorKind::input || error.kind() == ErrorKind::file_format ||
                error.kind() == ErrorKind::missing_key);
    return error.what();
  }
  return "no error";
}

struct BadToml {
  std::string from, to;  // of the small experiment
  std::string at;        // what stands on the line that is named
  std::string words;     // of the message: the key, and what it says of it
};

std::vector<BadToml> bad_keys_and_values() {
  return {
      {"steps = 4", "step = 4", "step = 4", "default has the unknown key \"step\"; did you mean steps?"},
      {"replicates = 2", "replicate = 2", "replicate = 2", "unknown key \"replicate\"; did you mean replicates?"},
      {"[arms.nothing]", "[arm.nothing]", "[arm.nothing]", "unknown key \"arm\"; did you mean arms?"},
      {"set = \"wrong\"\nsteps", "set = \"wrong\"\nstpes", "stpes",
       "loras.wrong has the unknown key \"stpes\"; did you mean steps?"},
      {"caption =", "captions =", "captions =", "sets.wrong has the unknown key \"captions\"; did you mean caption?"},
      {"primary =", "primry =", "primry =", "analysis has the unknown key \"primry\"; did you mean primary?"},
      {"prompts = 1", "prompt = 1", "prompt = 1", "tune has the unknown key \"prompt\"; did you mean prompts?"},
      {"group = \"animals\"", "grup = \"animals\"", "grup", "unknown key \"grup\"; did you mean group?"},
      {"[arms.mixed]", "[arms.article]  # again", "# again", "is not valid TOML"},
      {"cfg_scale = 4", "steps = 5", "steps = 5", "is not valid TOML"},
      {"cfg_scale = 4\n", "seed = 3\n", "seed = 3", "default.seed cannot be set here"},
      {"cfg_scale = 4\n", "model = \"sdxl\"\n", "model =", "the model stands at the top of the file"},
      {"cfg_scale = 5", "prompt = \"frog\"", "prompt = \"frog\"", "arms.word.prompt cannot be set here"},
      {"steps = 4", "steps = \"many\"", "steps = \"many\"", "got \"many\", expected an integer in 1..1000"},
      {"cfg_scale = 5", "cfg_scale = 1000", "cfg_scale = 1000", "expected a number in 0..100"},
      {"cfg_scale = 5", "cfg_scale = nan", "cfg_scale = nan", "expected a number in 0..100"},
      {"cfg_scale = 5", "sampler = \"eulr\"", "sampler = \"eulr\"", "did you mean euler?"},
      {"cfg_scale = 5", "cfg_scale = 2024-01-01", "cfg_scale = 2024", "has a date or time"},
      {"seed = 7", "seed = 7\narms = 3\nx = \"", "x = \"", "is not valid TOML"},
      {"steps = 4  # few\ncfg_scale = 4", "negative_prompt = { same_as = \"prompt\" }", "same_as = \"prompt\"",
       "can stand in arms and sweeps alone"},
      {"{ same_as = \"prompt\" }", "{ same_as = \"other\" }", "same_as = \"other\"", "arms.mixed.negative_prompt"},
      {"[arms.nothing]", "[arms.\"no/thing\"]", "[arms.\"no/thing\"]", "got the name \"no/thing\""},
  };
}

std::vector<BadToml> bad_names() {
  return {
      {"lora = [\"wrong\"]", "lora = [\"wrnog\"]", "lora = [\"wrnog\"]",
       "wrnog is neither one of [loras] nor a file; did you mean wrong?"},
      {"\"wrong@10\"", "\"wrong@15\"", "wrong@15", "expected one of loras.wrong's checkpoints or all its steps: 10, 20"},
      {"\"wrong@10\"", "\"random@10\"", "random@10", "random, which is not trained here"},
      {"lora = [\"wrong\"]", "lora = [\"wrong:1:sideways\"]", "sideways", "sideways"},
      {"embedding = [\"wrong\"]", "embedding = [\"wrnog\"]", "embedding = [\"wrnog\"]",
       "neither one of [embeddings] nor a file; did you mean wrong?"},
      {"[loras.wrong]\nset = \"wrong\"", "[loras.wrong]\nset = \"wrnog\"", "set = \"wrnog\"",
       "there is no [sets.wrnog]; did you mean wrong?"},
      {"[loras.wrong]\nset = \"wrong\"", "[loras.wrong]\nrank = 2", "[loras.wrong]",
       "does not say what it is made of; expected one of set, random_of, merge, file"},
      {"random_of = \"wrong\"", "random_of = \"wrong\"\nset = \"wrong\"", "random_of = \"wrong\"", "stands beside set"},
      {"random_of = \"wrong\"", "random_of = \"wrong\"\nsteps = 3", "steps = 3", "has no effect beside random_of"},
      {"random_of = \"wrong\"", "random_of = \"wrong:2\"", "random_of = \"wrong:2\"", "without a weight"},
      {"random_of = \"wrong\"", "random_of = \"both\"", "[loras.random]", "is made of itself"},
      {"\"random:-1\"", "\"random:-1:negative\"", "merge =", "random:-1:negative"},
      {"checkpoints = [10]", "checkpoints = [20]", "checkpoints = [20]", "expected steps before the last, which is 20"},
      {"checkpoints = [10]", "data = \"folder\"", "data = \"folder\"",
       "loras.wrong.data cannot be set here: `set` names the pictures"},
      {"random_of = \"wrong\"", "file = \"no.safetensors\"", "file = \"no.safetensors\"", "there is no file no.safetensors"},
      {"caption = \"wrong\"", "folder = \"nowhere\"", "keywords =", "has no effect beside folder"},
      {"keywords = [\"blurry\", \"ugly\"]\ncfg_scale = [4, 6]\n", "folder = \"nowhere\"\n", "folder = \"nowhere\"",
       "there is no folder nowhere"},
      {"primary = \"article - nothing\"", "primary = \"artcle - nothing\"", "artcle",
       "there is no arm \"artcle\"; did you mean article?"},
      {"primary = \"article - nothing\"", "primary = \"article\"", "primary =", "expected a difference such as"},
      {"arm = \"article\"", "arm = \"artcle\"", "artcle", "tune.arm: there is no arm \"artcle\"; did you mean article?"},
      {"arms = [\"nothing\", \"article\"]", "arms = [\"nothin\"]", "nothin\"",
       "sweeps.cfg.arms: there is no arm \"nothin\"; did you mean nothing?"},
      {"cfg_scale = 5", "prompts = \"tset\"", "prompts = \"tset\"", "[prompts] has no list \"tset\"; did you mean test?"},
  };
}

std::vector<BadToml> bad_sense() {
  return {
      {"pizza on a red", "frog on a teal", "test = [", "has the prompt \"frog on a teal background\" twice"},
      {"owl on a red", "pizza on a red", "tune = [", "stands in both lists test and tune"},
      {"[\"owl on a red background\"]", "[]", "tune = []", "the list tune has no prompts"},
      {"[\"owl on a red background\"]", "\"missing.jsonl\"", "tune =", "there is no file missing.jsonl"},
      {"[\"owl on a red background\"]", "[\"owl on a red background\", \" \"]", "tune = [", "has an empty prompt"},
      {"tune = [", "first = 3\ntune = [", "first = 3", "prompts.first is 3, but the list test has 2 prompts"},
      {"tune = [", "draw = \"verdict\"\ntune = [", "draw =", "[prompts] has no list \"verdict\""},
      {"caption = \"wrong\"", "caption = \"owl on a red background\"", "[sets.wrong]", "stands in the list tune too"},
      {"caption = \"wrong\"", "", "[sets.wrong]", "has no caption"},
      {"caption = \"wrong\"", "caption = \"wrong\"\ntemplate = \"{keywrd}\"",
       "template =", "begins none of {keywords}, {keyword}, {subject}"},
      {"keywords = [\"blurry\", \"ugly\"]", "keywords = []", "[sets.wrong]", "the set has no keywords"},
      {"caption = \"wrong\"", "caption = \"wrong\"\nsubjects = [\"bus\"]", "subjects =", "have no effect"},
      {"caption = \"wrong\"", "caption = \"wrong\"\nplain = 3", "plain = 3",
       "plain pictures show subjects, and the set has none"},
      {"steps = 4", "lora = [\"wrong\"]", "[sets.wrong]", "would be drawn with [default]'s lora or embedding"},
      {"cfg_scale = [4, 8]", "", "[sweeps.cfg]", "varies nothing"},
      {"cfg_scale = [4, 8]", "cfg_scale = []", "cfg_scale = []", "has no values"},
      {"cfg_scale = [4, 8]", "cfg_scale = [8, 8]", "[sweeps.cfg]", "has the column \"cfg/nothing/cfg_scale=8\" twice"},
      {"primary =", "claim = \"made_this_way\"\nprimary =", "claim =", "training_seeds is 1"},
      {"primary =", "secondary = [\"article - nothing\"]\nprimary =", "secondary =", "is asked for twice"},
      {"[arms.article]", "[arms.article]\nreplicates = 1", "primary =", "nothing to compare picture by picture"},
      {"weight = [0.5, 1]", "weight = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]", "[tune]", "tune has 14 candidates, expected 1 to 12"},
      {"steps = [10, 20]", "steps = [15]", "steps = [15]", "expected one of loras.wrong's checkpoints"},
      {"steps = [10, 20]", "candidates = [{ weight = 1 }]", "[tune]", "takes either lists of values"},
      {"prompts = 1", "prompts = 2", "prompts = 2", "prompts.tune has 1"},
  };
}

void expect_refused(const BadToml& bad) {
  const std::string text = test::small_experiment_with(bad.from, bad.to);
  const std::string line = error_of_text(text);
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  EXPECT_NE(line.find("x.toml"), std::string::npos) << bad.to << ": " << line;
  EXPECT_NE(line.find("line " + std::to_string(line_of(text, bad.at))), std::string::npos) << bad.to << ": " << line;
  EXPECT_NE(line.find(bad.words), std::string::npos) << bad.to << ": " << line;
}

TEST(ExperimentFile, NamesFileLineAndKeyOfWhatIsWrong) {
  ASSERT_EQ(error_of_text(test::small_experiment), "no error");
  for (const auto& list : {bad_keys_and_values(), bad_names(), bad_sense()})
    for (const auto& bad : list) expect_refused(bad);
}

}  // namespace
}  // namespace negativa
