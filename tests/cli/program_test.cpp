#include "program.h"

namespace negativa::test {

TEST(Program, AlonePrintsFiveLinesThatBeginWithItself) {
  const Ran ran = Workplace().run({});
  EXPECT_EQ(ran.exit_code, 0);
  const auto lines = lines_of(ran.out);
  EXPECT_EQ(lines.size(), 5u) << ran.out;
  for (const auto& line : lines) EXPECT_TRUE(line.starts_with(std::string(NEGATIVA_PROGRAM) + " generate ")) << line;
  EXPECT_EQ(ran.err, "");
}

TEST(Program, HelpListsEveryVerb) {
  const std::string help = Workplace().results({"--help"});
  for (const char* verb : {"generate", "compare", "tokens", "model inspect", "lora inspect", "doctor", "version"})
    EXPECT_TRUE(contains(help, "negativa " + std::string(verb))) << verb;
}

TEST(Program, HelpOfAVerbShowsDefaultsAndRanges) {
  const std::string help = Workplace().results({"generate", "--help"});
  for (const char* part : {"-p,--prompt", "--steps", "1..1000; default 50", "--save-tensors", "--dry-run"})
    EXPECT_TRUE(contains(help, part)) << part;
}

TEST(Program, VersionIsJsonForPrograms) {
  const Json version = parse_json(Workplace().results({"version", "--json"}), "version");
  for (const char* key : {"version", "build_type", "libtorch", "cpu_capability"})
    EXPECT_FALSE(get<std::string>(version, key, "version").empty()) << key;
}

TEST(Program, DoctorSaysWhichInstructionsAreComputedWith) {
  const Workplace place;
  const Json doctor = parse_json(place.results({"doctor", "--json", "--isa", "baseline"}), "doctor");
  EXPECT_EQ(doctor["isa"], "baseline");
  EXPECT_EQ(doctor["cpu_capability"], "DEFAULT") << "libtorch's kernels are bound too";
  const Ran ran = place.run({"doctor", "--isa", "mmx"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
}

// What a person has bound libtorch to is no less than what --isa auto takes.
TEST(Program, TakesTheInstructionsThatLibtorchIsLeft) {
  Workplace place;
  place.environment = {{"ATEN_CPU_CAPABILITY", "default"}};
  EXPECT_EQ(parse_json(place.results({"doctor", "--json"}), "doctor")["isa"], "baseline");
  place.environment = {{"ATEN_CPU_CAPABILITY", "mmx"}};
  const Ran ran = place.run({"doctor"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_TRUE(contains(ran.err, "[ATEN_CPU_CAPABILITY] got \"mmx\"")) << ran.err;
}

TEST(Program, AnUnknownVerbIsOneLineThatHelps) {
  const Workplace place;
  for (const auto& [args, hint] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"vresion"}, "did you mean version?"},
           {{"lora", "inspct"}, "did you mean lora inspect?"},
           {{"lora"}, "did you mean lora inspect?"},
           {{"experiment", "x.toml"}, "[experiment] got \"x.toml\", expected one of run, "},
           {{"frog"}, "negativa --help"},
           {{"version", "--jsn"}, "did you mean --json?"},
           {{"generate", "a", "lion"}, "-p \"a lion\""}}) {
    const Ran ran = place.run(args);
    EXPECT_EQ(ran.exit_code, 2) << args[0];
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    EXPECT_TRUE(ran.err.starts_with("negativa: ") && contains(ran.err, hint)) << ran.err;
  }
}

TEST(Program, AFullDiskUnderStdoutIsExitCode1) {
  EXPECT_EQ(WEXITSTATUS(std::system((std::string(NEGATIVA_PROGRAM) + " version 2>/dev/null >/dev/full").c_str())), 1);
}

}  // namespace negativa::test
