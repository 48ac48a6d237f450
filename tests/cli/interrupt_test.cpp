// Ctrl-C and kill: what was finished stays, nothing else is left.
#include <signal.h>

#include <chrono>
#include <thread>

#include "program.h"

namespace negativa::test {

namespace {

namespace fs = std::filesystem;

void wait_for(const fs::path& file) {  // a minute at most
  for (int i = 0; i < 6000 && !fs::exists(file); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ASSERT_TRUE(fs::exists(file));
}

}  // namespace

TEST(Interrupt, StopsBetweenStepsAndLeavesFinishedPictures) {
  const Workplace place;
  place.write("p.jsonl",
              "{\"prompt\": \"a big lion\", \"steps\": 1}\n{\"prompt\": \"owl\", \"steps\": 1000}\n{\"prompt\": \"frog\", "
              "\"steps\": 1000}\n");
  const pid_t child = place.start({"generate", "-q", "-s", "1", "--prompts", "p.jsonl", "-o", "set"});
  wait_for(place / "set/0000.png");
  ::kill(child, SIGINT);
  EXPECT_EQ(exit_code_of(child), 130);
  EXPECT_EQ(place.files(), (std::vector<std::string>{"p.jsonl", "set", "set/0000.png"}));
  EXPECT_EQ(picture(place / "set/0000.png").width, 64);
}

TEST(Interrupt, AKilledSetIsCompletedByTheNextRun) {
  const Workplace place;
  std::string lines;
  for (int i = 0; i < 12; ++i) lines += "{\"prompt\": \"owl\", \"seed\": " + std::to_string(i) + "}\n";
  place.write("p.jsonl", lines);
  const Workplace::Arguments args{"generate", "-q",        "--json",  "--steps", "10", "--threads",
                                  "1",        "--prompts", "p.jsonl", "-o",      "set"};
  const pid_t child = place.start(args);
  wait_for(place / "set/0000.png");
  ::kill(child, SIGKILL);
  EXPECT_EQ(exit_code_of(child), -1);
  const std::string first = place.read("set/0000.png");
  const Json report = parse_json(place.results(args), "report");
  EXPECT_GE(report["kept"], 1);
  EXPECT_EQ(report["kept"].get<int>() + report["made"].get<int>(), 12);
  EXPECT_EQ(place.read("set/0000.png"), first);
  EXPECT_EQ(lines_of(place.read("set/metadata.jsonl")).size(), 12u);
}

}  // namespace negativa::test
