#include "base/config.h"

#include <limits>

#include "base/files.h"
#include "base/json.h"
#include "temporary_folder.h"

namespace negativa {

namespace {

struct SampleOptions {
  int steps = 50;
  float guidance_scale = 7.0f;
  std::optional<uint64_t> seed;
  std::string sampler = "euler";
  static void visit(auto& self, auto& v) {
    v("steps", self.steps, range(1, 1000), "denoising steps");
    v("guidance_scale", self.guidance_scale, flag("--cfg-scale"), range(0.1f, 50.f), "1 or less: no guidance");
    v("seed", self.seed, flag("-s,--seed"), "initial noise; picture i uses seed + i");
    v("sampler", self.sampler, choices({"euler", "ddim"}), "how the latents are stepped");
  }
};

struct Options {
  SampleOptions sample;
  std::vector<std::string> lora;
  std::filesystem::path output = "out.png";
  bool show = false;
  std::optional<double> rescale;
  int64_t width = 64;
  static void visit(auto& self, auto& v) {
    SampleOptions::visit(self.sample, v);
    v("lora", self.lora, "LoRA files");
    v("output", self.output, flag("-o,--output"), "the picture");
    v("show", self.show, "draw it in the terminal");
    v("rescale", self.rescale, range(0.0, 1.0), "guidance rescale");
    v("width", self.width, unit("px"), range(8, 4096), flag("-W,--width"), "of the picture");
  }
};

struct Twice {
  int steps = 1;
  static void visit(auto& self, auto& v) {
    v("steps", self.steps, "first");
    v("steps", self.steps, "second");
  }
};

const Source from_flag{Source::flag, "flag"};

struct Config : testing::Test {
  Options options;
  Fields fields = fields_of(options);
  Field& field(const char* name) { return *find_field(fields, name); }
};

}  // namespace

TEST_F(Config, SetsEveryTypeFromText) {
  set_from_text(field("steps"), "25", from_flag);
  set_from_text(field("guidance_scale"), "4.5", from_flag);
  set_from_text(field("seed"), "18446744073709551615", from_flag);
  set_from_text(field("sampler"), "ddim", from_flag);
  set_from_texts(field("lora"), {"a:1", "b"}, from_flag);
  set_from_text(field("output"), "a b.png", from_flag);
  set_from_text(field("show"), "true", from_flag);
  set_from_text(field("rescale"), "0.5", from_flag);
  set_from_text(field("width"), "128", from_flag);
  EXPECT_EQ(options.sample.steps, 25);
  EXPECT_EQ(options.sample.guidance_scale, 4.5f);
  EXPECT_EQ(options.sample.seed, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(options.lora, (std::vector<std::string>{"a:1", "b"}));
  EXPECT_EQ(options.output, "a b.png");
  EXPECT_TRUE(options.show);
  EXPECT_EQ(options.rescale, 0.5);
  EXPECT_EQ(options.width, 128);
}

TEST_F(Config, RefusesWhatIsOutsideAndSaysWhatWasExpected) {
  const auto refused = [&](const char* name, const char* text) {
    return error_of(ErrorKind::input, [&] { set_from_text(field(name), text, from_flag); });
  };
  EXPECT_EQ(refused("steps", "0"), "[--steps] got \"0\", expected an integer in 1..1000");
  EXPECT_EQ(refused("guidance_scale", "nan"), "[--cfg-scale] got \"nan\", expected a number in 0.1..50");
  EXPECT_EQ(refused("sampler", "eular"), "[--sampler] got \"eular\", expected one of euler, ddim; did you mean euler?");
  EXPECT_EQ(refused("width", "8.5"), "[--width] got \"8.5\", expected an integer in 8..4096 (px)");
  EXPECT_EQ(refused("seed", "-1"), "[--seed] got \"-1\", expected an integer of at least 0");
  for (const char* text : {"", "abc", "25x", " 25", "1e3", "99999999999", "inf"}) refused("steps", text);
  for (const char* text : {"inf", "-nan", "1e999", "0.05", "50.1", "1e39"}) refused("guidance_scale", text);
  refused("show", "maybe");
  EXPECT_EQ(options.sample.steps, 50);
  set_from_text(field("guidance_scale"), "0.1", from_flag);  // a bound given as float lets its own value in
}

TEST_F(Config, SourcesWinByRankWhateverTheOrder) {
  set_from_text(field("steps"), "25", from_flag);
  set_from_json(fields, {{"steps", 30}, {"sampler", "ddim"}}, {Source::file, "a.toml"});
  set_from_json(fields, {{"steps", 40}, {"sampler", "euler"}}, {Source::model, "scheduler_config.json"});
  EXPECT_EQ(options.sample.steps, 25);
  EXPECT_EQ(options.sample.sampler, "ddim");
  EXPECT_EQ(field("sampler").source.name, "a.toml");
  EXPECT_EQ(field("seed").source.name, "default");
  // A losing value is checked all the same.
  error_of(ErrorKind::input, [&] { set_from_json(fields, {{"steps", 0}}, {Source::file, "a.toml"}); });
}

TEST_F(Config, JsonKeysAreNamesOrFlagsAndUnknownOnesAreErrors) {
  const Source line{Source::request, "p.jsonl line 3"};
  set_from_json(fields, parse_json(R"({"cfg_scale": 8, "seed": 3, "lora": ["a", "b"], "rescale": null, "show": true})", "x"),
                line);
  EXPECT_EQ(options.sample.guidance_scale, 8.0f);
  EXPECT_EQ(options.sample.seed, 3u);
  EXPECT_EQ(options.lora.size(), 2u);
  EXPECT_FALSE(options.rescale.has_value());
  const auto refused = [&](const char* json) {
    return error_of(ErrorKind::input, [&] { set_from_json(fields, parse_json(json, "x"), line); });
  };
  EXPECT_EQ(refused(R"({"stepz": 3})"), "[p.jsonl line 3] has the unknown setting \"stepz\"; did you mean steps?");
  EXPECT_EQ(refused(R"({"steps": "3"})"), "[steps in p.jsonl line 3] got \"3\", expected an integer in 1..1000");
  for (const char* json : {R"({"steps": 3.5})", R"({"steps": [3]})", R"({"show": 1})", R"({"sampler": 1})", R"({"lora": [1]})",
                           R"({"seed": -1})", R"({"width": {"a": 1}})", R"({"cfg_scale": 1, "guidance_scale": 2})", "[]"})
    refused(json);
}

TEST_F(Config, TomlFilesFollowTheSameRules) {
  const TemporaryFolder folder;
  const auto set = [&](const char* toml) {
    write_atomically(folder / "a.toml", toml);
    set_from_toml_file(fields, folder / "a.toml");
  };
  set("steps = 10 # few\ncfg_scale = 3\nlora = ['x']\noutput = 'dir/a.png'\n");
  EXPECT_EQ(options.sample.steps, 10);
  EXPECT_EQ(options.sample.guidance_scale, 3.0f);
  EXPECT_EQ(options.output, "dir/a.png");
  for (const char* toml :
       {"steps = 0", "stepz = 1", "guidance_scale = nan", "guidance_scale = inf", "steps = 'a'", "[steps]\na = 1"})
    EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { set(toml); }), "a.toml")) << toml;
  EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { set("steps = 1\nseed ="); }), "line 2"));
  error_of(ErrorKind::file_format, [&] { set("steps = 2020-01-01"); });
  error_of(ErrorKind::file_format, [&] { set("steps = 1\nsteps = 2"); });
  error_of(ErrorKind::input, [&] { set_from_toml_file(fields, folder / "none.toml"); });
}

TEST_F(Config, JsonHoldsTheResolvedValuesAndReadsBack) {
  set_from_text(field("guidance_scale"), "0.3", from_flag);
  EXPECT_EQ(canonical_json(to_json(fields)),
            R"({"guidance_scale":0.3,"lora":[],"output":"out.png","sampler":"euler","show":false,"steps":50,"width":64})");
  Options copy;
  Fields copied = fields_of(copy);
  set_from_json(copied, to_json(fields), {Source::file, "record"});
  EXPECT_EQ(copy.sample.guidance_scale, 0.3f);
}

TEST_F(Config, PrintedConfigIsTomlThatSetsTheSame) {
  const TemporaryFolder folder;
  set_from_text(field("steps"), "25", from_flag);
  set_from_texts(field("lora"), {"a\"b", "c\nd"}, from_flag);
  set_from_text(field("guidance_scale"), "1e-0", from_flag);
  const std::string printed = print_config(fields);
  EXPECT_TRUE(contains(printed, "steps = 25")) << printed;
  EXPECT_TRUE(contains(printed, "# seed is not set")) << printed;
  write_atomically(folder / "a.toml", printed);
  Options copy;
  Fields copied = fields_of(copy);
  set_from_toml_file(copied, folder / "a.toml");
  EXPECT_EQ(to_json(copied), to_json(fields));
}

TEST_F(Config, EverySeedSurvivesTomlAndJson) {
  for (const uint64_t seed :
       {uint64_t{0}, uint64_t{1} << 53, (uint64_t{1} << 63) - 1, uint64_t{1} << 63, std::numeric_limits<uint64_t>::max()}) {
    options.sample.seed = seed;
    for (const Json& settings : {parse_toml(print_config(fields), "printed"), parse_json(to_json(fields).dump(), "recorded"),
                                 parse_json(canonical_json(to_json(fields)), "canonical")}) {
      Options again;
      Fields again_fields = fields_of(again);
      set_from_json(again_fields, settings, {Source::file, "again"});
      EXPECT_EQ(again.sample.seed, seed) << settings.dump();
    }
  }
  EXPECT_TRUE(contains(print_config(fields), "seed = \"18446744073709551615\""));
  options.sample.seed = 5;
  EXPECT_TRUE(contains(print_config(fields), "seed = 5 "));
}

TEST_F(Config, SeedsAreReadFromTextsButOtherNumbersAreNot) {
  const auto set = [&](const char* toml) { set_from_json(fields, parse_toml(toml, "x.toml"), {Source::file, "x.toml"}); };
  set("seed = '18446744073709551615'");
  EXPECT_EQ(options.sample.seed, std::numeric_limits<uint64_t>::max());
  set("seed = '7'");
  EXPECT_EQ(options.sample.seed, 7u);
  for (const char* wrong : {"seed = ''", "seed = '-1'", "seed = '1.5'", "seed = ' 1'", "seed = '18446744073709551616'",
                            "seed = -1", "seed = 1.0", "steps = '3'", "width = '64'"})
    EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { set(wrong); }), "in x.toml] got ")) << wrong;
  const auto message = error_of(ErrorKind::file_format, [&] { set("seed = 18446744073709551615"); });
  EXPECT_TRUE(contains(message, "x.toml") && contains(message, "put it in quotes")) << message;
}

TEST_F(Config, HelpShowsFlagRangeUnitAndDefault) {
  const std::string help = help_text(fields);
  EXPECT_TRUE(contains(help, "  --steps N                       denoising steps (1..1000; default 50)\n")) << help;
  EXPECT_TRUE(contains(help, "  -s,--seed N                     initial noise; picture i uses seed + i\n")) << help;
  EXPECT_TRUE(contains(help, "(euler|ddim; default euler)")) << help;
  EXPECT_TRUE(contains(help, "of the picture (8..4096; px; default 64)")) << help;
  EXPECT_TRUE(contains(help, "  --show                          draw it in the terminal\n")) << help;
}

TEST(ConfigFields, TwoFieldsOfOneNameAreRefused) {
  Twice options;
  error_of(ErrorKind::input, [&] { fields_of(options); });
}

}  // namespace negativa
