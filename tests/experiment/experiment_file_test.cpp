#include <algorithm>

#include "base/files.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "experiment/references.h"
#include "experiment_text.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

using test::parsed;
using test::small_experiment;
using test::with_more;
using test::with_text;

struct Bad {
  std::string text;
  ErrorKind kind;
  std::vector<std::string> parts;  // of the message
};

std::vector<Bad> unknown_keys() {
  const ErrorKind input = ErrorKind::input;
  return {
      {with_text("seed = 1", "sead = 1"), input, {"x.toml line 1", "\"sead\"", "did you mean seed"}},
      {with_text("[default]", "[defaults]"), input, {"x.toml line 3", "\"defaults\"", "did you mean default"}},
      {with_text("[arms.nothing]", "[arm.nothing]"), input, {"x.toml line 33", "\"arm\"", "did you mean arms"}},
      {with_text("cfg_scale = 4\n", "cfg_scal = 4\n"), input, {"x.toml line 5", "\"cfg_scal\"", "cfg_scale"}},
      {with_text("\"animal\" }", "\"animal\", promt = \"a\" }"), input, {"x.toml line 9", "\"promt\"", "prompt"}},
      {with_text("keywords =", "keyword ="), input, {"x.toml line 15", "sets.wrong", "\"keyword\"", "keywords"}},
      {with_text("rank = 2", "ranks = 2"), input, {"x.toml line 22", "loras.wrong", "\"ranks\"", "rank"}},
      {with_text("steps = 2\n\n# The", "stebs = 2\n\n# The"), input, {"x.toml line 30", "embeddings.bad", "\"stebs\"", "steps"}},
      {with_text("lora = [\"wrong\"]", "loar = [\"wrong\"]"), input, {"x.toml line 37", "arms.article", "\"loar\"", "lora"}},
      {with_more("[sweeps.s]\ncfg_scele = [1]\n"), input, {"x.toml line 47", "sweeps.s", "\"cfg_scele\"", "cfg_scale"}},
      {with_more("[tune]\narm = \"article\"\nwaight = [1]\n"), input, {"x.toml line 48", "tune", "\"waight\"", "weight"}},
      {with_more("[analysis]\nprimery = \"\"\n"), input, {"x.toml line 47", "analysis", "\"primery\"", "primary"}},
  };
}

std::vector<Bad> wrong_arms() {
  const ErrorKind input = ErrorKind::input, format = ErrorKind::file_format;
  const std::string all = small_experiment;
  return {
      {with_more("[arms.article]\n"), format, {"x.toml", "line 46", "article"}},
      {with_text("[\"wrong\"]", "[\"wrnog\"]"),
       input,
       {"x.toml line 37", "arms.article", "wrnog is neither one of [loras] nor a file", "did you mean wrong"}},
      {with_text("[\"wrong\"]", "[\"wrong@4\"]"), input, {"x.toml line 37", "wrong@4", "1, 2, 3"}},
      {with_text("[\"wrong\"]", "[\"random@4\"]"), input, {"x.toml line 37", "random@4", "not trained here"}},
      {with_text("[\"wrong\"]", "[\"wrong:much\"]"), input, {"x.toml line 37", "much"}},
      {with_text("[\"bad\"]", "[\"bed\"]"),
       input,
       {"x.toml line 41", "bed is neither one of [embeddings] nor a file", "did you mean bad"}},
      {all.substr(0, all.find("# The")), input, {"x.toml", "has no arms", "[arms.nothing]"}},
      {with_text("[arms.nothing]", "[arms.nothing]\nseed = 3"),
       input,
       {"x.toml line 34", "arms.nothing.seed", "the same in every arm"}},
      {with_text("[arms.nothing]", "[arms.nothing]\nprompt = \"a\""),
       input,
       {"x.toml line 34", "arms.nothing.prompt", "the same in every arm"}},
      {with_text("[default]", "[default]\nseed = 3"), input, {"x.toml line 4", "default.seed", "top of the file"}},
      {with_text("[default]", "[default]\nprompt = \"a\""), input, {"x.toml line 4", "default.prompt", "[prompts]"}},
      {with_text("[default]", "[default]\nmodel = \"a\""), input, {"x.toml line 4", "the model stands at the top"}},
      {with_text("seed = 1", "model = \"a\"\nmodel = \"b\""), format, {"x.toml", "line 2", "model"}},
      {with_text("[default]", "[default]\nnegative_prompt = { same_as = \"prompt\" }"),
       input,
       {"x.toml line 4", "default.negative_prompt", "arms and sweeps alone"}},
      {with_text("\"<bad>\"", "{ same_as = \"prompd\" }"),
       input,
       {"x.toml line 40", "arms.embedded.negative_prompt", "same_as = \"prompt\""}},
      {with_text("[arms.nothing]", "[arms.nothing]\nprompts = \"tset\""),
       input,
       {"x.toml line 34", "arms.nothing", "\"tset\"", "did you mean test"}},
      {with_text("[arms.nothing]", "[arms]\nnothing = 3"), input, {"x.toml line 34", "arms.nothing is 3", "expected a table"}},
      {with_text("[arms.nothing]", "[arms.\"no/thing\"]"), input, {"x.toml line 33", "no/thing", "letters, digits"}},
      {with_text("cfg_scale = 4\n", "cfg_scale = 400\n"), input, {"x.toml line 5", "cfg_scale", "400", "0..100"}},
      {with_text("cfg_scale = 4\n", "cfg_scale = nan\n"), input, {"x.toml line 5", "cfg_scale", "0..100"}},
      {with_text("negative_prompt = \"<bad>\"", "negative-prompt = \"<bad>\""),
       input,
       {"x.toml line 40", "negative-prompt", "did you mean negative_prompt"}},
  };
}

std::vector<Bad> wrong_prompts() {
  const ErrorKind input = ErrorKind::input;
  return {
      {with_text("caption = \"wrong\"", "caption = \"pizza on a red background\""),
       input,
       {"x.toml line 14", "pizza on a red background", "sets.wrong", "test"}},
      {with_text("[\"owl on a white", "[\"pizza on a red"),
       input,
       {"x.toml line 12", "pizza on a red background", "test and tune"}},
      {with_text("  \"pizza on a red", "  \"frog on a teal"),
       input,
       {"x.toml line 8", "test", "frog on a teal background", "twice"}},
      {with_text("[\"owl on a white background\"]", "[]"), input, {"x.toml line 12", "tune has no prompts"}},
      {with_text("[\"owl on a white background\"]", "[\" \"]"), input, {"x.toml line 12", "empty prompt"}},
      {with_text("[\"owl on a white background\"]", "[3]"), input, {"x.toml line 12", "got 3"}},
      {with_text("[\"owl on a white background\"]", "\"none.jsonl\""), input, {"x.toml line 12", "prompts.tune", "none.jsonl"}},
      {with_text("[prompts]", "[prompts]\ndraw = \"tset\""), input, {"x.toml line 8", "\"tset\"", "did you mean test"}},
      {with_text("[prompts]", "[prompts]\nfirst = 3"), input, {"x.toml line 8", "prompts.first is 3", "has 2"}},
      {with_text("[prompts]", "[prompts]\nfirst = 0"), input, {"x.toml line 8", "first", "0"}},
      {"[arms.nothing]\n", input, {"x.toml line 1", "[prompts] has no list", "test = "}},
  };
}

std::vector<Bad> wrong_sets() {
  const ErrorKind input = ErrorKind::input;
  const auto set_line = [](const std::string& line) { return with_text("caption = \"wrong\"", "caption = \"wrong\"\n" + line); };
  return {
      {with_text("caption = \"wrong\"", ""), input, {"x.toml line 14", "sets.wrong has no caption", "caption = \"wrong\""}},
      {with_text("keywords = [\"blurry\", \"ugly\"]", "keywords = []"), input, {"x.toml line 14", "no keywords"}},
      {with_text("cfg_scale = [4, 6]", "cfg_scale = []"), input, {"x.toml line 16", "sets.wrong.cfg_scale", "no values"}},
      {with_text("cfg_scale = [4, 6]", "cfg_scale = [4, \"6\"]"),
       input,
       {"x.toml line 16", "sets.wrong.cfg_scale", "\"6\"", "number"}},
      {with_text("cfg_scale = [4, 6]", "cfg_scale = [4, 101]"), input, {"x.toml line 16", "cfg_scale", "101", "0..100"}},
      {set_line("template = \"{keyword}, {subjekt}\""), input, {"x.toml line 18", "sets.wrong.template", "{subject}"}},
      {set_line("template = \"{keyword}, {subject}\""), input, {"x.toml line 18", "sets.wrong.template", "no subjects"}},
      {set_line("template = \"a\""), input, {"x.toml line 18", "sets.wrong.template", "no place for keywords"}},
      {set_line("emphasis = \"++\""), input, {"x.toml line 18", "sets.wrong.emphasis", "no {}"}},
      {set_line("plain = 2"), input, {"x.toml line 18", "sets.wrong.plain", "has none"}},
      {set_line("subjects = [\"frog\"]"), input, {"x.toml line 18", "sets.wrong.subjects", "no effect"}},
      {set_line("subjects = \"none.jsonl\""), input, {"x.toml line 18", "sets.wrong.subjects", "none.jsonl"}},
      {set_line("folder = \"none\""), input, {"x.toml line 15", "sets.wrong.keywords", "no effect", "folder"}},
      {with_more("[sets.mine]\nfolder = \"none\"\n"), input, {"x.toml line 47", "sets.mine.folder", "none"}},
      {set_line("picture = { seed = 3 }"), input, {"x.toml line 18", "sets.wrong.picture.seed"}},
      {set_line("picture = { stebs = 3 }"), input, {"x.toml line 18", "sets.wrong.picture", "stebs", "steps"}},
      {with_text("[default]", "[default]\nlora = [\"wrong\"]"), input, {"x.toml line 15", "sets.wrong", "picture.lora = []"}},
      {with_more("[sets.plain]\ntemplate = \"{subject}\"\nsubjects = [\"cat\"]\nemphasis = \"({})+\"\n"),
       input,
       {"x.toml line 49", "sets.plain.emphasis", "no effect"}},
  };
}

std::vector<Bad> wrong_loras() {
  const ErrorKind input = ErrorKind::input;
  return {
      {with_text("random_of = \"wrong\"", "random_of = \"random\""), input, {"x.toml line 25", "loras.random is made of itself"}},
      {with_text("random_of = \"wrong\"", "merge = [\"two:1\"]\n[loras.two]\nmerge = [\"random:1\"]"),
       input,
       {"is made of itself"}},
      {with_text("random_of = \"wrong\"", "random_of = \"wrnog\""), input, {"x.toml line 26", "wrnog", "did you mean wrong"}},
      {with_text("random_of = \"wrong\"", "random_of = \"wrong:0.5\""),
       input,
       {"x.toml line 26", "loras.random.random_of", "wrong:0.5"}},
      {with_text("random_of = \"wrong\"", "merge = []"), input, {"x.toml line 26", "loras.random.merge", "nothing"}},
      {with_text("random_of = \"wrong\"", "merge = [\"wrong:1:negative\"]"), input, {"x.toml line 26", "negative"}},
      {with_text("random_of = \"wrong\"", "merge = [\"wrong:1\", \"wrnog:1\"]"),
       input,
       {"x.toml line 26", "wrnog", "did you mean wrong"}},
      {with_text("random_of = \"wrong\"", "merge = [\"wrong:0\"]"), input, {"x.toml line 26", "loras.random.merge", "nothing"}},
      {with_text("random_of = \"wrong\"", "file = \"none.safetensors\""), input, {"x.toml line 26", "none.safetensors"}},
      {with_text("random_of = \"wrong\"", "rank = 2"), input, {"x.toml line 25", "loras.random does not say what it is made of"}},
      {with_text("random_of = \"wrong\"", "random_of = \"wrong\"\nset = \"wrong\""),
       input,
       {"loras.random", "beside", "expected one of"}},
      {with_text("random_of = \"wrong\"", "random_of = \"wrong\"\nrank = 2"),
       input,
       {"x.toml line 27", "loras.random.rank", "no effect"}},
      {with_text("rank = 2", "class_data = \"a\""), input, {"x.toml line 22", "loras.wrong.class_data", "plain"}},
      {with_text("rank = 2", "validate_every = 2"), input, {"x.toml line 22", "loras.wrong.validate_every"}},
      {with_text("rank = 2", "resume = \"never\""), input, {"x.toml line 22", "loras.wrong.resume"}},
      {with_text("rank = 2", "rank = 0"), input, {"x.toml line 22", "rank", "0"}},
      {with_text("[1, 2]", "[1, 3]"), input, {"x.toml line 23", "loras.wrong.checkpoints", "got 3"}},
      {with_text("[1, 2]", "[0]"), input, {"x.toml line 23", "loras.wrong.checkpoints", "got 0"}},
      {with_text("set = \"wrong\"\nsteps = 3", "set = \"wrnog\"\nsteps = 3"),
       input,
       {"x.toml line 20", "loras.wrong.set", "[sets.wrnog]", "did you mean wrong"}},
      {with_text("set = \"wrong\"\nsteps = 2", "set = \"wrnog\"\nsteps = 2"),
       input,
       {"x.toml line 29", "embeddings.bad.set", "did you mean wrong"}},
      {with_text("steps = 2\n\n# The", "checkpoints = [1]\n\n# The"),
       input,
       {"x.toml line 30", "embeddings.bad.checkpoints", "[loras] alone"}},
      {with_text("set = \"wrong\"\nsteps = 2", "file = \"none.pt\""), input, {"x.toml line 29", "none.pt"}},
      {with_text("set = \"wrong\"\nsteps = 2", "set = \"wrong\"\nprior_weight = 2"),
       input,
       {"x.toml line 30", "embeddings.bad.prior_weight"}},
  };
}

std::vector<Bad> wrong_sweeps_and_tuning() {
  const ErrorKind input = ErrorKind::input;
  const std::string tune = "[tune]\narm = \"article\"\n";
  return {
      {with_more("[sweeps.s]\narms = [\"article\"]\n"),
       input,
       {"x.toml line 46", "sweeps.s varies nothing", "cfg_scale = [3, 6]"}},
      {with_more("[sweeps.s]\ncfg_scale = []\n"), input, {"x.toml line 47", "sweeps.s.cfg_scale has no values"}},
      {with_more("[sweeps.s]\ncfg_scale = [4]\n"), input, {"x.toml line 46", "sweeps.s varies nothing"}},
      {with_more("[sweeps.s]\ncfg_scale = [3, 3]\n"), input, {"x.toml line 46", "sweeps.s", "cfg_scale=3", "twice"}},
      {with_more("[sweeps.s]\ncfg_scale = [3, 3.0]\n"), input, {"x.toml line 46", "sweeps.s", "cfg_scale=3", "twice"}},
      {with_more("[sweeps.s]\ncfg_scale = [3, 300]\n"), input, {"x.toml line 47", "cfg_scale", "300", "0..100"}},
      {with_more("[sweeps.s]\nlora = [\"wrong\", \"wrnog\"]\n"), input, {"x.toml line 47", "wrnog", "did you mean wrong"}},
      {with_more("[sweeps.s]\narms = []\ncfg_scale = [3]\n"), input, {"x.toml line 47", "sweeps.s.arms is empty"}},
      {with_more("[sweeps.s]\narms = [\"artikle\"]\ncfg_scale = [3]\n"),
       input,
       {"x.toml line 47", "\"artikle\"", "did you mean article"}},
      {with_more("[sweeps.s]\nseed = [3]\n"), input, {"x.toml line 47", "sweeps.s.seed", "the same in every arm"}},
      {with_more("[tune]\narm = \"artikle\"\nweight = [1]\n"),
       input,
       {"x.toml line 47", "tune.arm", "\"artikle\"", "did you mean article"}},
      {with_more("[tune]\nweight = [1]\n"), input, {"x.toml line 46", "tune has no arm"}},
      {with_more(tune), input, {"x.toml line 46", "lists of values", "candidates"}},
      {with_more(tune + "weight = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3]\n"),
       input,
       {"x.toml line 46", "13 candidates", "1 to 12"}},
      {with_more(tune + "weight = []\n"), input, {"x.toml line 48", "tune.weight", "no values"}},
      {with_more(tune + "cfg_scale = [3, 300]\n"), input, {"x.toml line 48", "cfg_scale", "300", "0..100"}},
      {with_more(tune + "steps = [1, 5]\n"), input, {"x.toml line 48", "wrong@5", "1, 2, 3"}},
      {with_more(tune + "candidates = [{ weight = 1 }, { wait = 1 }]\n"),
       input,
       {"x.toml line 48", "tune.candidates[1]", "\"wait\""}},
      {with_more("[tune]\narm = \"nothing\"\nweight = [1]\n"),
       input,
       {"x.toml line 48", "tune.weight", "the arm nothing has none"}},
      {with_more(tune + "weight = [1]\nprompts = 9\n"), input, {"x.toml line 49", "tune.prompts is 9", "has 1"}},
      {with_more("[analysis]\nprimary = \"artikle - nothing\"\n"),
       input,
       {"x.toml line 47", "analysis.primary", "\"artikle\"", "did you mean article"}},
      {with_more("[analysis]\nprimary = \"article\"\n"), input, {"x.toml line 47", "analysis.primary", "article - nothing"}},
      {with_more("[analysis]\nprimary = \"article - article\"\n"), input, {"x.toml line 47", "itself"}},
      {with_more("[analysis]\nsecondary = [\"random - nothing\", \"random - nothing\"]\n"),
       input,
       {"x.toml line 47", "asked for twice"}},
      {with_more("[analysis]\nclaim = \"made_this_way\"\n"), input, {"x.toml line 47", "training_seeds is 1"}},
      {with_text("[arms.nothing]", "[arms.nothing]\nprompts = \"tune\"",
                 with_more("[analysis]\nprimary = \"article - nothing\"\n")),
       input,
       {"x.toml line 48", "analysis.primary", "tune"}},
  };
}

std::vector<Bad> no_toml() {
  std::string deep = "a = ";
  for (int i = 0; i < 65; ++i) deep += "[";
  return {
      {with_text("steps = 2", "steps = 2026-01-01"), ErrorKind::file_format, {"x.toml", "line 4", "date"}},
      {deep, ErrorKind::file_format, {"x.toml", "line 1", "64 levels"}},
      {std::string("\0\x01\xff\xfe garbage", 12), ErrorKind::file_format, {"x.toml", "line 1"}},
      {with_text("steps = 2", "steps ="), ErrorKind::file_format, {"x.toml", "line 4"}},
      {with_text("\"wrong\"\n\n[loras", "\"wrong\n\n[loras"), ErrorKind::file_format, {"x.toml", "line 17"}},
      {with_text("seed = 1", "seed = 99999999999999999999"), ErrorKind::file_format, {"x.toml", "line 1", "quotes"}},
      {"", ErrorKind::input, {"x.toml line 1", "[prompts] has no list"}},
  };
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

TEST(ExperimentFile, IsRefusedInOneLineThatNamesFileLineKeyAndTheNearestName) {
  expect_refused(unknown_keys());
  expect_refused(wrong_arms());
  expect_refused(wrong_prompts());
  expect_refused(wrong_sets());
  expect_refused(wrong_loras());
  expect_refused(wrong_sweeps_and_tuning());
  expect_refused(no_toml());
}

TEST(ExperimentFile, NamesTheFileThatCannotBeRead) {
  TemporaryFolder folder;
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { read_experiment(folder / "none.toml"); }), "none.toml"));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { read_experiment(folder.path()); }), "is a folder, expected a TOML file"));
  const std::string far(5000, 'a');
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { read_experiment(far); }), "aaa"));
  for (const char* key : {"lora", "embedding"})
    error_of(ErrorKind::input,
             [&] { parsed(with_text("[arms.nothing]", fmt::format("[arms.nothing]\n{} = [\"{}\"]", key, far))); });
}

TEST(ExperimentFile, NamesTheLineOfAPromptsFileThatIsWrong) {
  TemporaryFolder folder;
  const auto with_file = [&](const std::string& lines) {
    write_atomically(folder / "tune.jsonl", lines);
    write_atomically(folder / "x.toml", with_text("[\"owl on a white background\"]", "\"tune.jsonl\""));
    return read_experiment(folder / "x.toml");
  };
  const auto refused = [&](ErrorKind kind, const std::string& lines) { return error_of(kind, [&] { with_file(lines); }); };
  EXPECT_TRUE(contains(refused(ErrorKind::input, "\n"), "x.toml line 12] the list tune has no prompts"));
  EXPECT_TRUE(contains(refused(ErrorKind::file_format, "{\"prompt\": \"a\"}\n{\"prompt\""), "tune.jsonl line 2"));
  EXPECT_TRUE(contains(refused(ErrorKind::missing_key, "{\"group\": \"a\"}\n"), "tune.jsonl line 1"));
  EXPECT_TRUE(contains(refused(ErrorKind::input, "{\"prompt\": \"a\", \"grop\": \"b\"}"), "did you mean group"));
  const auto file = with_file("\xef\xbb\xbf{\"prompt\": \"a\", \"group\": \"b\"}\r\n\r\n\"c\"\r\n");
  ASSERT_EQ(file.prompts.lists.at("tune").size(), 2u);
  EXPECT_EQ(file.prompts.lists.at("tune")[0].group, "b");
  EXPECT_EQ(file.prompts.lists.at("tune")[1].text, "c");
  ASSERT_EQ(file.prompts.files.size(), 1u);
  EXPECT_EQ(file.prompts.files[0].name, "tune.jsonl");
}

TEST(ExperimentFile, SaysWhatStandsInItWithoutEffect) {
  const auto noticed = [](const std::string& text) { return parsed(text).notices; };
  EXPECT_EQ(noticed(small_experiment), std::vector<std::string>{"x.toml line 12: no arm draws prompts.tune"});
  const auto all = noticed(with_text("[arms.nothing]",
                                     "[arms.nothing]\ntraining_seeds = 2\n[sets.b]\nkeywords = [\"a\"]\ncaption = "
                                     "\"b\"\n[loras.b]\nset = \"b\"\n[embeddings.b]\nset = \"b\""));
  const std::vector<std::string> expected = {
      "x.toml line 38: nothing uses loras.b, so it is not made", "x.toml line 40: nothing uses embeddings.b, so it is not made",
      "x.toml line 12: no arm draws prompts.tune",
      "x.toml line 34: arms.nothing.training_seeds has no effect, since nothing in it is trained"};
  EXPECT_EQ(all, expected);
  EXPECT_EQ(noticed("training_seeds = 3\n[prompts]\ntest = [\"a\"]\n[arms.nothing]\n").size(), 1u);
}

// Everything that a file can have.
std::string full_experiment() {
  return with_text(
             "seed = 1", "seed = \"18446744073709551615\"\nreplicates = 2\ntraining_seeds = 3\ncalibrate = true",
             with_text("[arms.nothing]", "[arms.zeros]\nnegative_prompt = \"tab\\t, DEL \\u007f, \\\"ü\\\"\"\n[arms.nothing]")) +
         R"(
[arms.same]
negative_prompt = { same_as = "prompt" }
lora = ["merged:0.5:negative", "wrong@2"]
prompts = "tune"
replicates = 1

[loras.merged]
merge = ["wrong:0.5", "random:-0.5"]

[sets.things]
template = "{keyword}, {subject}"
keywords = ["blurry"]
subjects = ["cat on a red background", "dog on a blue background"]
plain = 2
picture = { steps = 3, negative_prompt = "a" }

[loras.things]
set = "things"
text_encoders = true
learning_rate = 1e-5

[arms.things]
lora = ["things"]

[sweeps.cfg]
arms = ["article", "nothing"]
cfg_scale = [3, 6.5]
lora = [["wrong:0.5", "things"], []]
replicates = 1

[tune]
arm = "article"
weight = [0.5, 1]

[analysis]
primary = "article - nothing"
secondary = ["random - nothing"]
)";
}

TEST(ExperimentFile, PrintedIsAFileThatMeansTheSame) {
  TemporaryFolder folder;
  make_folder(folder / "mine");
  write_atomically(folder / "mine.safetensors", "");
  const std::string files =
      "\n[sets.mine]\nfolder = \"mine\"\n[loras.mine]\nset = \"mine\"\n[embeddings.file]\nfile = \"mine.safetensors\"\nname = "
      "\"<file>\"\n[loras.file]\nfile = \"mine.safetensors\"\n[arms.mine]\nlora = [\"mine\", \"file\", "
      "\"./mine.safetensors\"]\nembedding = [\"file\"]\n";
  for (const std::string& text : {std::string(small_experiment), full_experiment(), full_experiment() + files}) {
    const ExperimentFile file = parse_experiment(text, folder / "x.toml");
    const std::string printed = print_experiment(file);
    const ExperimentFile again = parse_experiment(printed, folder / "x.toml");
    EXPECT_EQ(again.config_json, file.config_json) << printed;
    EXPECT_EQ(print_experiment(file), printed);
    ASSERT_EQ(again.arms.size(), file.arms.size());
    for (size_t i = 0; i < file.arms.size(); ++i) EXPECT_EQ(again.arms[i].name, file.arms[i].name);
    EXPECT_EQ(again.sweeps.empty() ? 0 : again.sweeps[0].arms.size(), file.sweeps.empty() ? 0 : file.sweeps[0].arms.size());
  }
  const std::string printed = print_experiment(parsed(full_experiment()));
  EXPECT_TRUE(contains(printed, "\nsteps = 2  # line 7\n")) << printed;
  EXPECT_TRUE(contains(printed, "\npooled = \"raw\"  # default\n")) << printed;
}

TEST(ExperimentFile, DiffersByMeaningAndNamesTheFirstLine) {
  const auto difference = [](const std::string& run, const std::string& file) {
    return first_difference(parsed(run).config_json, parsed(file));
  };
  const std::string all = full_experiment();
  EXPECT_EQ(difference(all, "# One more comment.\n\n" + all), "");
  EXPECT_EQ(difference(all, with_text("steps = 2\ncfg_scale = 4", "cfg_scale = 4.0  # the same\nsteps = 2", all)), "");
  EXPECT_EQ(difference(all, with_text("weight = [0.5, 1]", "weight = [0.5]", all)), "") << "[tune] decides no cell";
  EXPECT_EQ(difference(small_experiment, with_text("[\"wrong\"]", "[\"wrong:0.5\"]")),
            "line 37 (arms.article.lora): the run has [\"wrong\"], the file [\"wrong:0.5\"]");
  EXPECT_EQ(difference(small_experiment, with_text("steps = 2\ncfg", "steps = 3\ncfg", with_text("rank = 2", "rank = 4"))),
            "line 4 (default.steps): the run has 2, the file 3");
  EXPECT_EQ(difference(small_experiment, with_text("\"pizza on a red", "\"pizza on a blue")),
            "line 10 (prompts.test[1]): the run has {\"group\":\"\",\"prompt\":\"pizza on a red background\"}, the file "
            "{\"group\":\"\",\"prompt\":\"pizza on a blue background\"}");
  EXPECT_TRUE(contains(
      difference(small_experiment, with_text("  \"pizza on a red background\",\n", "")),
      "(prompts.test[1]): the run has {\"group\":\"\",\"prompt\":\"pizza on a red background\"}, the file nothing there"));
  EXPECT_TRUE(contains(difference(small_experiment, with_text("[arms.nothing]", "[arms.none]")),
                       "line 33 (arms.none): the run has it not"));
  EXPECT_TRUE(contains(difference(small_experiment, with_text("[arms.nothing]\n", "")), "(arms.nothing): the run has "));
}

}  // namespace
}  // namespace negativa
