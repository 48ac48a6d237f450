// Experiments over HTTP: the same run as the command line's, wherever the program is killed.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/config.h"
#include "base/files.h"
#include "studio_program.h"

namespace negativa::test {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* toml = R"(seed = 5
[default]
steps = 2
[prompts]
test = ["frog on a teal background", "pizza on a red background"]
[sets.rejects]
folder = "rejects"
caption = "wrong"
[loras.wrong]
set = "rejects"
steps = 2
[arms.nothing]
[arms.article]
negative_prompt = "wrong"
lora = ["wrong"]
[analysis]
primary = "article - nothing"
)";

// What a person has in a folder of the studio: rejects, and TOML files beside them.
class Runs : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    studio_ = std::make_unique<StudioProgram>();
    make_folder(folder() / "rejects");
    for (const int seed : {1, 2})
      studio_->place().results({"generate", "-p", "blurry", "-s", std::to_string(seed), "--steps", "1", "-o",
                                (folder() / "rejects" / (std::to_string(seed) + ".png")).string()});
    write("mine.toml", toml);
  }
  static void TearDownTestSuite() { studio_.reset(); }
  static StudioProgram& studio() { return *studio_; }
  static fs::path folder() { return studio_->place() / "library/files"; }  // a root: "files"
  static void write(const std::string& name, const std::string& text) { write_atomically(folder() / name, text); }
  static std::string with(const std::string& from, const std::string& to) {
    std::string text = toml;
    return text.replace(text.find(from), from.size(), to);
  }
  static Json refusal(const Json& options) {
    const Answer answer = studio().post("jobs/experiment-run", options.dump());
    EXPECT_EQ(answer.status, 400) << answer.body;
    return parse_json(answer.body, "answer")["error"];
  }

 private:
  static inline std::unique_ptr<StudioProgram> studio_;
};

}  // namespace

TEST_F(Runs, ARunThatIsKilledAndGoesOnIsTheCommandLinesByteForByte) {
  const uint64_t id = studio().submit("experiment-run", {{"file", "files/mine.toml"}});
  const std::string run = (studio().place() / "library/runs/mine").string();
  for (int i = 0; i < 1000 && !fs::exists(run + "/lora"); ++i) std::this_thread::sleep_for(5ms);
  studio().kill_and_restart();
  const Json job = studio().job_when_over(id);
  ASSERT_EQ(job["state"], "done") << job["error"];
  EXPECT_EQ(job["result"]["page"], "runs/mine/report.html");
  studio().place().results({"experiment", "run", (folder() / "mine.toml").string(), "-o", "again"});
  EXPECT_EQ(studio().place().run({"experiment", "diff", run, "again"}).exit_code, 0);
  EXPECT_EQ(read_file(run + "/metrics.csv"), studio().place().read("again/metrics.csv"));

  const Json status = studio().get("runs/mine");
  EXPECT_TRUE(status["finished"]);
  EXPECT_EQ(status["arms"][1], (Json{{"arm", "article"}, {"drawn", 2}, {"measured", 2}, {"planned", 2}}));
  EXPECT_EQ(studio().get("runs")[0]["name"], "mine");
  const Json difference = {{"first", "runs/mine"}, {"second", "runs/mine"}};
  EXPECT_TRUE(parse_json(studio().post("ask/experiment-diff", difference.dump()).body, "diff")["result"]["equal"]);
}

TEST_F(Runs, TheStockExperimentRunsOnRejectsOfOnesOwn) {
  const Json asked = {
      {"data", "files/rejects"}, {"name", "own"}, {"word", "bad \"one\""}, {"texts", "frog on a teal background\npizza"},
      {"replicates", 1},         {"steps", 1},    {"training_steps", 1}};
  const auto make = [&](const Json& options) { return studio().post("ask/experiment-rejects", options.dump()); };
  const Answer answer = make(asked);
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json made = parse_json(answer.body, "rejects")["result"];
  EXPECT_EQ(made["file"], "files/experiments/own.toml");
  const Json written = parse_toml(read_file(folder() / "experiments/own.toml"), "own.toml");
  EXPECT_EQ(written["sets"]["wrong"], (Json{{"folder", "../rejects"}, {"caption", "bad \"one\""}}));
  EXPECT_EQ(written["arms"]["article"], (Json{{"negative_prompt", "bad \"one\""}, {"lora", {"wrong"}}}));
  for (const char* arm : {"nothing", "word", "neg-branch", "apart", "random"}) EXPECT_TRUE(written["arms"].contains(arm)) << arm;
  EXPECT_EQ(studio().get("experiments").dump().find("own.toml") == std::string::npos, false);
  EXPECT_EQ(make(asked).status, 200);  // the same again
  const uint64_t id = studio().submit("experiment-run", made);
  EXPECT_EQ(studio().job_when_over(id)["state"], "done");
  EXPECT_TRUE(studio().get("runs/own")["finished"]);
  Json other = asked;
  other["steps"] = 2;
  EXPECT_TRUE(contains(make(other).body, "[name in request] there is a run")) << make(other).body;
  EXPECT_EQ(make({{"data", "files/rejects"}, {"name", "stock"}}).status, 200);
  for (const Json& bad : {Json{{"data", "files/nothing"}}, Json::object(), Json{{"data", "files/rejects"}, {"name", "../x"}},
                          Json{{"data", "files/rejects"}, {"word", " "}}, Json{{"data", "files/rejects"}, {"texts", "\n"}},
                          Json{{"data", "../../etc"}}, Json{{"data", "files/rejects"}, {"steps", 0}}})
    EXPECT_EQ(make(bad).status, 400) << bad;
  EXPECT_FALSE(fs::exists(folder() / "x.toml"));
}

TEST_F(Runs, ThePageComesWithItsOwnPolicyAndItsPictures) {
  const uint64_t id = studio().submit("experiment-run", {{"file", "files/mine.toml"}});
  ASSERT_EQ(studio().job_when_over(id)["state"], "done");
  const Answer page = studio().get_bytes("runs/mine/files/report.html");
  EXPECT_EQ(page.headers.at("content-type"), "text/html; charset=utf-8");
  const std::string policy = page.headers.at("content-security-policy");
  EXPECT_NE(policy.find("default-src 'none'"), std::string::npos) << policy;
  EXPECT_NE(policy.find("script-src 'sha256-"), std::string::npos) << policy;
  EXPECT_EQ(policy.find("unsafe"), std::string::npos) << policy;
  const size_t begin = page.body.find("pictures/");
  const std::string picture = page.body.substr(begin, page.body.find(".png", begin) + 4 - begin);
  const Answer image = studio().get_bytes("runs/mine/files/" + picture);
  EXPECT_EQ(image.status, 200) << picture;
  EXPECT_EQ(image.headers.at("content-type"), "image/png");
  for (const char* none : {"runs/none", "runs/mine/files/none.png", "runs/mine/files/pictures", "runs/../files/x"})
    EXPECT_EQ(studio().get_bytes(none).status / 100, 4) << none;
}

TEST_F(Runs, WhatATomlMayNotNameAndWhatIsNotItsRunIsRefusedAtOnce) {
  write("outside.toml", with("\"rejects\"", "\"/etc\""));
  write("above.toml", with("\"rejects\"", "\"../../../../../../../../../../etc\""));
  write("unknown.toml", with("steps = 2", "stepz = 2"));
  write("lora.toml", with("lora = [\"wrong\"]", "lora = [\"/etc/hostname:1:negative\"]"));
  const size_t before = studio().get("jobs")["jobs"].size();
  for (const char* name : {"files/outside.toml", "files/above.toml", "files/unknown.toml", "files/lora.toml", "files/none.toml",
                           "files/rejects", "/etc/passwd", "experiments/wrong/../demo.toml"}) {
    const Json error = refusal({{"file", name}});
    EXPECT_EQ(error["field"], "file") << error;
    const std::string message = error["message"];
    EXPECT_EQ(message.find(folder().string()), std::string::npos) << message;
  }
  for (const char* name : {"files/outside.toml", "files/above.toml", "files/lora.toml"})
    EXPECT_NE(refusal({{"file", name}})["message"].get<std::string>().find("outside"), std::string::npos) << name;
  EXPECT_EQ(refusal(Json::object())["field"], "file");
  EXPECT_EQ(refusal({{"file", "files/mine.toml"}, {"out", "a/b"}})["field"], "out");
  EXPECT_EQ(studio().post("jobs/experiment-report", R"({"run": "files/rejects"})").status, 400);
  EXPECT_EQ(studio().post("jobs/experiment-tune", R"({"file": "files/mine.toml"})").status, 400);  // it has no [tune]
  EXPECT_EQ(studio().get("jobs")["jobs"].size(), before);
}

TEST_F(Runs, ARunOfAnotherTomlIsRefusedWithTheLineThatDiffers) {
  const uint64_t id = studio().submit("experiment-run", {{"file", "files/mine.toml"}, {"out", "taken"}});
  ASSERT_EQ(studio().job_when_over(id)["state"], "done");
  write("other.toml", with("steps = 2", "steps = 3"));
  const Json error = refusal({{"file", "files/other.toml"}, {"out", "taken"}});
  EXPECT_NE(error["message"].get<std::string>().find("line 3 (default.steps)"), std::string::npos) << error;
}

TEST_F(Runs, CancelEndsARunThatGoesOnLater) {
  write("long.toml", with("steps = 2", "steps = 1000"));
  const uint64_t id = studio().submit("experiment-run", {{"file", "files/long.toml"}});
  for (int i = 0; i < 500 && studio().get("jobs/" + std::to_string(id))["state"] != "running"; ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_EQ(studio().post("jobs/" + std::to_string(id) + "/cancel", "{}").status, 200);
  EXPECT_EQ(studio().job_when_over(id)["state"], "cancelled");
}

}  // namespace negativa::test
