// The program as a person runs it.
#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "base/json.h"
#include "base/temporary_folder.h"

namespace negativa {

namespace {

struct Ran {
  int exit_code;
  std::string output;
};

Ran run(const std::string& arguments) {
  FILE* pipe = ::popen((std::string(NEGATIVA_PROGRAM) + " " + arguments).c_str(), "r");
  std::string output;
  std::array<char, 4096> buffer;
  while (const size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), got);
  const int status = ::pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

}  // namespace

TEST(Program, AlonePrintsFiveLinesThatBeginWithItself) {
  const Ran ran = run("2>&1");
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(std::count(ran.output.begin(), ran.output.end(), '\n'), 5) << ran.output;
  EXPECT_TRUE(ran.output.starts_with(std::string(NEGATIVA_PROGRAM) + " ")) << ran.output;
}

TEST(Program, VersionIsJsonForPrograms) {
  const Ran ran = run("version --json");
  EXPECT_EQ(ran.exit_code, 0);
  const Json version = parse_json(ran.output, "version");
  for (const char* key : {"version", "build_type", "libtorch", "cpu_capability"})
    EXPECT_FALSE(get<std::string>(version, key, "version").empty()) << key;
}

TEST(Program, WrongInputIsOneLineAndExitCode2) {
  for (const char* arguments : {"vresion", "version --jsn", "version extra", "--nonsense"}) {
    const Ran ran = run(std::string(arguments) + " 2>&1 >/dev/null");
    EXPECT_EQ(ran.exit_code, 2) << arguments;
    EXPECT_EQ(std::count(ran.output.begin(), ran.output.end(), '\n'), 1) << ran.output;
    EXPECT_TRUE(ran.output.starts_with("negativa: ")) << ran.output;
  }
}

TEST(Program, AFullDiskUnderStdoutIsExitCode1) { EXPECT_EQ(run("version 2>/dev/null >/dev/full").exit_code, 1); }

}  // namespace negativa
