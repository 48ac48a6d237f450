#include "base/json.h"
#include "base/temporary_folder.h"
#include "base/toml.h"
#include "experiment_text.h"

namespace negativa {
namespace {

using test::small_experiment;
using test::with_more;
using test::with_text;

// What stands behind the value on its line, before it, and around it stays.
const std::string awkward = R"(# é before all
seed = 1 # the seed
[arms."a.b"]
note = { text = "é] # no comment", lora = [ "x", ] } # after
[arms.article] # the claim
negative_prompt = "über, \"quoted\" # not a comment" # wörtlich
lora = [
  "wrong:0.5", # half of it
  'good]',
]	# end
cfg_scale=4.5
long = """
two
lines"""  # kept

[default]
steps = 2
)";

std::string changed(const std::string& key, const std::string& value) { return with_value(awkward, key, value); }

void check_changed_values() {
  EXPECT_EQ(changed("seed", "12"), with_text("seed = 1 #", "seed = 12 #", awkward));
  EXPECT_EQ(changed("arms.article.negative_prompt", "\"a\""),
            with_text(R"("über, \"quoted\" # not a comment")", "\"a\"", awkward));
  EXPECT_EQ(changed("arms.article.lora", "[\"wrong\"]"),
            with_text("[\n  \"wrong:0.5\", # half of it\n  'good]',\n]\t#", "[\"wrong\"]\t#", awkward));
  EXPECT_EQ(changed("arms.article.lora[0]", "\"wrong:0.7\""), with_text("\"wrong:0.5\"", "\"wrong:0.7\"", awkward));
  EXPECT_EQ(changed("arms.article.cfg_scale", "6"), with_text("=4.5", "=6", awkward));
  EXPECT_EQ(changed("arms.article.long", "\"\""), with_text("\"\"\"\ntwo\nlines\"\"\"", "\"\"", awkward));
  EXPECT_EQ(changed("arms.\"a.b\".note.text", "\"ü\""), with_text("\"é] # no comment\"", "\"ü\"", awkward));
  EXPECT_EQ(changed("arms.\"a.b\".note.lora", "[]"), with_text("[ \"x\", ]", "[]", awkward));
  EXPECT_EQ(changed("arms.\"a.b\".note", "3"), with_text("{ text = \"é] # no comment\", lora = [ \"x\", ] }", "3", awkward));
  EXPECT_EQ(changed("default.steps", "30"), with_text("steps = 2", "steps = 30", awkward));
}

void check_missing_keys() {
  EXPECT_EQ(changed("replicates", "2"), with_text("# the seed\n", "# the seed\nreplicates = 2\n", awkward));
  EXPECT_EQ(changed("arms.article.negative_scale", "1.5"),
            with_text("lines\"\"\"  # kept\n", "lines\"\"\"  # kept\nnegative_scale = 1.5\n", awkward));
  EXPECT_EQ(changed("default.cfg_scale", "6"), with_text("steps = 2\n", "steps = 2\ncfg_scale = 6\n", awkward));
  EXPECT_EQ(changed("arms.\"a.b\".steps", "2"), with_text("# after\n", "# after\nsteps = 2\n", awkward));
  EXPECT_EQ(changed("arms.\"a.b\".note.steps", "2"), with_text("lora = [ \"x\", ] }", "lora = [ \"x\", ], steps = 2 }", awkward));
  EXPECT_EQ(with_value("[arms]\na = {}\n", "arms.a.steps", "2"), "[arms]\na = { steps = 2 }\n");
  EXPECT_EQ(with_value("[arms.a]\n[arms.b]\n", "arms.a.steps", "2"), "[arms.a]\nsteps = 2\n[arms.b]\n");
  EXPECT_EQ(with_value("[arms.a]", "arms.a.steps", "2"), "[arms.a]\nsteps = 2\n");
  EXPECT_EQ(with_value("a = 1", "b", "2"), "a = 1\nb = 2\n");
  EXPECT_EQ(with_value("[arms.a]\n", "seed", "2"), "seed = 2\n[arms.a]\n");
  EXPECT_EQ(with_value("", "seed", "2"), "seed = 2\n");
  EXPECT_EQ(with_value("[sets.a]\nx = 1\n[sets.a.picture]\ny = 1\n", "sets.a.z", "2"),
            "[sets.a]\nx = 1\nz = 2\n[sets.a.picture]\ny = 1\n");
}

void check_missing_tables() {
  EXPECT_EQ(changed("analysis.level", "0.9"), awkward + "\n[analysis]\nlevel = 0.9\n");
  EXPECT_EQ(with_value("a = 1", "analysis.level", "0.9"), "a = 1\n\n[analysis]\nlevel = 0.9\n");
}

void check_line_ends() {
  std::string windows;
  for (const char c : awkward) {
    if (c == '\n') windows += '\r';
    windows += c;
  }
  for (const char* key : {"arms.article.lora", "arms.article.negative_prompt", "arms.article.negative_scale", "replicates",
                          "analysis.level", "default.steps"}) {
    std::string text = with_value(windows, key, "7"), unix_text;
    for (const char c : text)
      if (c != '\r') unix_text += c;
    EXPECT_EQ(unix_text, changed(key, "7"));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\r'), std::count(text.begin(), text.end(), '\n')) << key;
  }
  EXPECT_EQ(with_value("\xef\xbb\xbfseed = 1\n", "seed", "2"), "\xef\xbb\xbfseed = 2\n");
  EXPECT_EQ(with_value("\xef\xbb\xbf[arms.a]\n", "seed", "2"), "\xef\xbb\xbfseed = 2\n[arms.a]\n");
}

void check_refused_keys() {
  const auto refused = [](const std::string& toml, const std::string& key, const std::string& value) {
    return error_of(ErrorKind::input, [&] { with_value(toml, key, value); });
  };
  EXPECT_TRUE(contains(refused("[arms.a]\n", "arms.steps", "2"), "arms.steps"));  // it would be arms.a's
  EXPECT_TRUE(contains(refused("arms.a.steps = 2\n", "arms.a.cfg_scale", "2"), "arms.a"));
  EXPECT_TRUE(contains(refused("[[arms]]\n", "arms[0].steps", "2\n[b]\nc = 3"), "arms[0].steps"));
}

void check_read_again() {
  const std::string text =
      with_value(with_value(small_experiment, "arms.article.lora", "[\"wrong@2:0.5\"]"), "arms.nothing.cfg_scale", "6.0");
  const ExperimentFile file = test::parsed(text);
  EXPECT_EQ(file.arms[1].draw.picture.lora.at(0), "wrong@2:0.5");
  EXPECT_EQ(file.arms[0].draw.picture.cfg_scale, 6);
  EXPECT_EQ(text,
            with_text("[\"wrong\"]", "[\"wrong@2:0.5\"]", with_text("[arms.nothing]\n", "[arms.nothing]\ncfg_scale = 6.0\n")));
}

TEST(TomlEdit, ChangesOneValueAndNothingElse) {
  check_changed_values();
  check_missing_keys();
  check_missing_tables();
  check_line_ends();
  check_refused_keys();
  check_read_again();
}

}  // namespace
}  // namespace negativa
