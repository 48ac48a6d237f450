#include <gtest/gtest.h>

#include <algorithm>

#include "base/files.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "experiment_text.h"

namespace negativa {
namespace {

using test::parsed;
using test::small_experiment;
using test::with_more;
using test::with_text;

struct Bad {
  std::string text;
  ErrorKind kind;
  std::vector<std::string> parts;  // of the message
};

std::vector<Bad> wrong_keys() {
  const ErrorKind input = ErrorKind::input;
  const auto set_line = [](const std::string& line) { return with_text("caption = \"wrong\"", "caption = \"wrong\"\n" + line); };
  return {
      {with_text("steps = 2\n\n# The", "stebs = 2\n\n# The"), input, {"x.toml line 30", "embeddings.bad", "\"stebs\"", "steps"}},
      {with_text("[arms.nothing]", "[arms]\nnothing = 3"), input, {"x.toml line 34", "arms.nothing is 3", "expected a table"}},
      {with_text("negative_prompt = \"<bad>\"", "negative-prompt = \"<bad>\""),
       input,
       {"x.toml line 40", "negative-prompt", "did you mean negative_prompt"}},
      {with_text("[prompts]", "[prompts]\nfirst = 0"), input, {"x.toml line 8", "first", "0"}},
      {with_text("cfg_scale = [4, 6]", "cfg_scale = []"), input, {"x.toml line 16", "sets.wrong.cfg_scale", "no values"}},
      {with_text("cfg_scale = [4, 6]", "cfg_scale = [4, \"6\"]"),
       input,
       {"x.toml line 16", "sets.wrong.cfg_scale", "\"6\"", "number"}},
      {with_text("cfg_scale = [4, 6]", "cfg_scale = [4, 101]"), input, {"x.toml line 16", "cfg_scale", "101", "0..100"}},
      {set_line("emphasis = \"++\""), input, {"x.toml line 18", "sets.wrong.emphasis", "no {}"}},
      {set_line("picture = { seed = 3 }"), input, {"x.toml line 18", "sets.wrong.picture.seed"}},
      {set_line("picture = { stebs = 3 }"), input, {"x.toml line 18", "sets.wrong.picture", "stebs", "steps"}},
      {with_more("[sets.plain]\ntemplate = \"{subject}\"\nsubjects = [\"cat\"]\nemphasis = \"({})+\"\n"),
       input,
       {"x.toml line 49", "sets.plain.emphasis", "no effect"}},
      {with_text("random_of = \"wrong\"", "random_of = \"random\""), input, {"x.toml line 25", "loras.random is made of itself"}},
      {with_text("random_of = \"wrong\"", "merge = [\"two:1\"]\n[loras.two]\nmerge = [\"random:1\"]"),
       input,
       {"is made of itself"}},
      {with_text("random_of = \"wrong\"", "random_of = \"wrong:0.5\""),
       input,
       {"x.toml line 26", "loras.random.random_of", "wrong:0.5"}},
      {with_text("steps = 3\n", "steps = 3\nnetwork_weights = \"wrong\"\n"),
       input,
       {"x.toml line 19", "loras.wrong is made of itself"}},
      {with_text("steps = 3\n", "steps = 3\nnetwork_weights = \"random\"\n"), input, {"is made of itself"}},
      {with_more("[loras.next]\nset = \"wrong\"\nnetwork_weights = \"wrong:0.5\"\n[arms.next]\nlora = [\"next\"]\n"),
       input,
       {"loras.next.network_weights", "wrong:0.5", "without weight and branch"}},
      {with_more("[loras.next]\nset = \"wrong\"\nnetwork_weights = \"wrog\"\n"),
       input,
       {"loras.next.network_weights", "wrog is neither one of [loras] nor a file; did you mean wrong?"}},
      {with_text("random_of = \"wrong\"", "merge = []"), input, {"x.toml line 26", "loras.random.merge", "nothing"}},
      {with_text("random_of = \"wrong\"", "merge = [\"wrong:0\"]"), input, {"x.toml line 26", "loras.random.merge", "nothing"}},
      {with_text("rank = 2", "class_data = \"a\""), input, {"x.toml line 22", "loras.wrong.class_data", "plain"}},
      {with_text("rank = 2", "validate_every = 2"), input, {"x.toml line 22", "loras.wrong.validate_every"}},
      {with_text("rank = 2", "resume = \"never\""), input, {"x.toml line 22", "loras.wrong.resume"}},
      {with_text("[1, 2]", "[0]"), input, {"x.toml line 23", "loras.wrong.checkpoints", "got 0"}},
      {with_text("steps = 2\n\n# The", "checkpoints = [1]\n\n# The"),
       input,
       {"x.toml line 30", "embeddings.bad.checkpoints", "[loras] alone"}},
      {with_text("set = \"wrong\"\nsteps = 2", "file = \"none.pt\""), input, {"x.toml line 29", "none.pt"}},
      {with_text("set = \"wrong\"\nsteps = 2", "set = \"wrong\"\nprior_weight = 2"),
       input,
       {"x.toml line 30", "embeddings.bad.prior_weight"}}};
}

std::vector<Bad> wrong_columns() {
  const ErrorKind input = ErrorKind::input;
  const std::string tune = "[tune]\narm = \"article\"\n";
  return {{with_more("[sweeps.s]\ncfg_scele = [1]\n"), input, {"x.toml line 47", "sweeps.s", "\"cfg_scele\"", "cfg_scale"}},
          {with_more("[tune]\narm = \"article\"\nwaight = [1]\n"), input, {"x.toml line 48", "tune", "\"waight\"", "weight"}},
          {with_more("[sweeps.s]\narms = [\"article\"]\n"),
           input,
           {"x.toml line 46", "sweeps.s varies nothing", "cfg_scale = [3, 6]"}},
          {with_more("[sweeps.s]\ncfg_scale = [4]\n"), input, {"x.toml line 46", "sweeps.s varies nothing"}},
          {with_more("[sweeps.s]\ncfg_scale = [3, 3.0]\n"), input, {"x.toml line 46", "sweeps.s", "cfg_scale=3", "twice"}},
          {with_more("[sweeps.s]\ncfg_scale = [3, 300]\n"), input, {"x.toml line 47", "cfg_scale", "300", "0..100"}},
          {with_more(tune + "weight = []\n"), input, {"x.toml line 48", "tune.weight", "no values"}},
          {with_more(tune + "cfg_scale = [3, 300]\n"), input, {"x.toml line 48", "cfg_scale", "300", "0..100"}},
          {with_more(tune + "candidates = [{ weight = 1 }, { wait = 1 }]\n"),
           input,
           {"x.toml line 48", "tune.candidates[1]", "\"wait\""}},
          {with_more("[analysis]\nprimary = \"article - article\"\n"), input, {"x.toml line 47", "itself"}}};
}

std::vector<Bad> no_toml() {
  std::string deep = "a = ";
  for (int i = 0; i < 65; ++i) deep += "[";
  return {{deep, ErrorKind::file_format, {"x.toml", "line 1", "64 levels"}},
          {std::string("\0\x01\xff\xfe garbage", 12), ErrorKind::file_format, {"x.toml", "line 1"}},
          {with_text("\"wrong\"\n\n[loras", "\"wrong\n\n[loras"), ErrorKind::file_format, {"x.toml", "line 17"}},
          {with_text("seed = 1", "seed = 99999999999999999999"), ErrorKind::file_format, {"x.toml", "line 1", "quotes"}}};
}

// What the file is refused with; empty: it is not refused.
std::string refusal(const Bad& bad) {
  try {
    parsed(bad.text);
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.kind()), static_cast<int>(bad.kind)) << error.what();
    return error.what();
  }
  return "";
}

void expect_refused(const std::vector<Bad>& cases) {
  for (const auto& bad : cases) {
    const std::string line = refusal(bad);
    for (const auto& part : bad.parts) EXPECT_TRUE(contains(line, part)) << "\"" << line << "\" has no " << part;
    EXPECT_TRUE(line.size() < 400 && !contains(line, "\n")) << line;
  }
}

TEST(ExperimentRefusals, NameFileLineAndKeyInOneLine) {
  expect_refused(wrong_keys());
  expect_refused(wrong_columns());
  expect_refused(no_toml());
  const std::string far(5000, 'a');  // a name that no system stores
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { read_experiment(far); }), "aaa"));
  for (const char* key : {"lora", "embedding"})
    error_of(ErrorKind::input,
             [&] { parsed(with_text("[arms.nothing]", fmt::format("[arms.nothing]\n{} = [\"{}\"]", key, far))); });
}

TEST(ExperimentNotices, NameTrainingSeedsOfWhatIsNotTrained) {
  const std::vector<std::string> of_arm = {
      "x.toml line 12: no arm draws prompts.tune",
      "x.toml line 34: arms.nothing.training_seeds has no effect, since nothing in it is trained"};
  EXPECT_EQ(parsed(with_text("[arms.nothing]", "[arms.nothing]\ntraining_seeds = 2")).notices, of_arm);
  EXPECT_EQ(parsed("training_seeds = 3\n[prompts]\ntest = [\"a\"]\n[arms.nothing]\n").notices.size(), 1u);
  EXPECT_EQ(parsed(with_text("seed = 1", "seed = 1\ntraining_seeds = 2")).notices.size(), 1u);
}

TEST(ExperimentFile, PrintedWithFoldersAndFilesReadsBackTheSame) {
  TemporaryFolder folder;
  make_folder(folder / "mine");
  write_atomically(folder / "mine.safetensors", "");
  const std::string text = with_text(
      "[arms.nothing]", "[arms.nothing]\nnegative_prompt = \"tab\\t, DEL \\u007f, \\\"ü\\\"\"",
      with_more("[sets.mine]\nfolder = \"mine\"\n[loras.mine]\nset = \"mine\"\n[embeddings.file]\nfile = \"mine.safetensors\"\n"
                "name = \"<file>\"\n[loras.file]\nfile = \"mine.safetensors\"\n[arms.mine]\nlora = [\"mine\", \"file\", "
                "\"./mine.safetensors\"]\nembedding = [\"file\"]\n"));
  const ExperimentFile file = parse_experiment(text, folder / "x.toml");
  const std::string printed = print_experiment(file);
  EXPECT_EQ(parse_experiment(printed, folder / "x.toml").config_json, file.config_json) << printed;
  EXPECT_TRUE(contains(printed, "name = \"<file>\""));
}

TEST(ExperimentFile, NamesThePlaceInALongListThatDiffers) {
  const auto difference = [](const std::string& file) {
    return first_difference(parsed(small_experiment).config_json, parsed(file));
  };
  EXPECT_EQ(difference(with_text("\"pizza on a red", "\"pizza on a blue")),
            "line 10 (prompts.test[1]): the run has {\"group\":\"\",\"prompt\":\"pizza on a red background\"}, the file "
            "{\"group\":\"\",\"prompt\":\"pizza on a blue background\"}");
  EXPECT_TRUE(contains(difference(with_text("  \"pizza on a red background\",\n", "")), "}, the file nothing there"));
  EXPECT_TRUE(
      contains(difference(with_text("[\"wrong\"]", "[\"wrong:0.5\"]")), "the run has [\"wrong\"], the file [\"wrong:0.5\"]"));
}

}  // namespace
}  // namespace negativa
