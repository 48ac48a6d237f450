#include "options.h"

#include "base/files.h"
#include "base/temporary_folder.h"
#include "stderr.h"

namespace negativa::cli {

namespace {

struct Options {
  std::string prompt;
  std::optional<std::string> negative_prompt;
  std::vector<std::string> lora, files;
  int steps = 50;
  bool show = false;
  static void visit(auto& self, auto& v) {
    v("prompt", self.prompt, flag("-p,--prompt"), "what to draw");
    v("negative_prompt", self.negative_prompt, flag("-n,--negative-prompt"), "what not to draw");
    v("lora", self.lora, "LoRA files");
    v("steps", self.steps, range(1, 1000), "denoising steps");
    v("show", self.show, "draw it in the terminal");
    v("files", self.files, flag("FILE"), "files to look at");
  }
};

struct CommandLineOf : testing::Test {
  Options options;
  Fields fields = fields_of(options);
  CommonOptions common;
  bool parse(std::vector<std::string> args) {
    return parse_command_line({"demo", "a verb for tests", std::move(args)}, fields, common);
  }
  std::string refused(std::vector<std::string> args) {
    return error_of(ErrorKind::input, [&] { (void)parse(std::move(args)); });
  }
};

}  // namespace

TEST_F(CommandLineOf, TextsArriveAsTyped) {
  ASSERT_TRUE(parse({"-p", "[a,b]", "--negative-prompt", "", "--lora", "A:0.5", "--lora=B", "one", "{}", "--", "-c"}));
  EXPECT_EQ(options.prompt, "[a,b]");
  EXPECT_EQ(options.negative_prompt, "");
  EXPECT_EQ(options.lora, (std::vector<std::string>{"A:0.5", "B"}));
  EXPECT_EQ(options.files, (std::vector<std::string>{"one", "{}", "-c"}));
  ASSERT_TRUE(parse({"-p", "--help", "-n{}"}));
  EXPECT_EQ(options.prompt, "--help");
  EXPECT_EQ(options.negative_prompt, "{}");
}

TEST_F(CommandLineOf, AbsentIsNotEmpty) {
  ASSERT_TRUE(parse({}));
  EXPECT_FALSE(options.negative_prompt.has_value());
}

TEST_F(CommandLineOf, FlagsWinOverTheFileWhereverTheyStand) {
  const TemporaryFolder folder;
  const std::string file = folder / "a.toml";
  write_atomically(file, "steps = 7\nshow = true\nprompt = 'from the file'\n");
  ASSERT_TRUE(parse({"--steps", "3", "--config", file, "--steps", "4", "--show=false"}));
  EXPECT_EQ(options.steps, 4);
  EXPECT_FALSE(options.show);
  EXPECT_EQ(options.prompt, "from the file");
  const std::string printed = print_config(fields);
  EXPECT_TRUE(contains(printed, "# --steps")) << printed;
  EXPECT_TRUE(contains(printed, "# " + file)) << printed;
  // A source of lower rank comes later and changes nothing that was given.
  set_from_text(*find_field(fields, "steps"), "9", {Source::model, "scheduler_config.json"});
  EXPECT_EQ(options.steps, 4);
}

TEST_F(CommandLineOf, WrongArgumentsAreOneLineWithASuggestion) {
  EXPECT_EQ(refused({"--stpes", "3"}), "[demo] got the unknown argument \"--stpes\"; did you mean --steps?");
  EXPECT_EQ(refused({"--steps"}), "[--steps] got no value, expected one; see negativa demo --help");
  EXPECT_EQ(refused({"--steps=nan"}), "[--steps] got \"nan\", expected an integer in 1..1000");
  EXPECT_TRUE(contains(refused({"--config", "/no/such.toml"}), "/no/such.toml"));
  refused({"--show=perhaps"});
  refused({"-z"});
}

TEST_F(CommandLineOf, QuietIsObeyedAndHelpStops) {
  ASSERT_TRUE(parse({"--quiet"}));
  EXPECT_TRUE(is_quiet());
  set_quiet(false);
  testing::internal::CaptureStdout();
  EXPECT_FALSE(parse({"--help"}));
  const std::string help = testing::internal::GetCapturedStdout();
  EXPECT_TRUE(contains(help, "usage: negativa demo FILE... [options]\n")) << help;
  EXPECT_TRUE(contains(help, "denoising steps (1..1000; default 50)")) << help;
  EXPECT_TRUE(contains(help, "--dry-run")) << help;
}

}  // namespace negativa::cli
