// A small experiment from its TOML to its run folder: 24 pictures, a trained and a random LoRA.
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <thread>

#include "base/files.h"
#include "program.h"

namespace negativa::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* small_toml = R"(
seed = 1

[default]
steps = 1
cfg_scale = 4

[prompts]
test = [
  { prompt = "frog on a teal background", group = "animal" },
  { prompt = "pizza on a red background", group = "food" },
  { prompt = "newspaper on a white background", group = "text" },
  { prompt = "fox next to castle on a blue background", group = "two objects" },
]

[sets.wrong]
keywords = ["blurry", "ugly"]
cfg_scale = [4, 6]
caption = "wrong"

[loras.wrong]
set = "wrong"
steps = 2
rank = 2

[loras.random]
random_of = "wrong"

# The arms.
[arms.nothing]

[arms.word]
negative_prompt = "wrong"

[arms.article]
negative_prompt = "wrong"
lora = ["wrong"]

[arms.apart]
negative_prompt = "wrong"
negative_scale = 1
lora = ["wrong:1:negative"]

[arms.random]
negative_prompt = "wrong"
lora = ["random:1:negative"]
)";

const Workplace::Arguments run_small = {"experiment", "run", "small.toml", "-q", "--json", "-o"};

Workplace::Arguments with(Workplace::Arguments args, const Workplace::Arguments& more) {
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

class Small : public Workplace {
 public:
  Small() { write("small.toml", small_toml); }

  // How many cells of a stage that run made.
  int64_t made(const std::string& json, const std::string& stage) const {
    const Json report = parse_json(json, "report");
    for (const auto& one : report.at("stages"))
      if (one.at("stage") == stage) return one.at("made").get<int64_t>();
    return -1;
  }
  size_t pictures(const std::string& folder) const {
    size_t count = 0;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(*this / (folder + "/pictures"), none))
      count += entry.path().extension() == ".png";
    return count;
  }
  void expect_equal(const std::string& first, const std::string& second) const {
    const Ran ran = run({"experiment", "diff", first, second});
    EXPECT_EQ(ran.exit_code, 0) << ran.out << ran.err;
  }
  // Kills the child as soon as the folder has so many pictures; false: it ended before.
  bool kill_at(pid_t child, const std::string& folder, size_t count) const {
    int status = 0;
    while (pictures(folder) < count) {
      if (::waitpid(child, &status, WNOHANG) == child) return false;
      std::this_thread::sleep_for(2ms);
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return true;
  }
};

}  // namespace

TEST(Experiment, MakesEveryCellOnceAndAnAddedArmDrawsItsOwnAlone) {
  const Small place;
  const std::string first = place.results(with(run_small, {"a"}));
  EXPECT_EQ(place.made(first, "set-picture"), 4);
  EXPECT_EQ(place.made(first, "lora"), 1);
  EXPECT_EQ(place.made(first, "random-lora"), 1);
  EXPECT_EQ(place.made(first, "picture"), 20);
  EXPECT_EQ(place.made(first, "metrics"), 20);
  EXPECT_EQ(lines_of(place.read("a/metrics.csv")).size(), 21u);
  EXPECT_EQ(lines_of(place.read("test_runs.jsonl")).size(), 1u);

  const std::string again = place.results({"experiment", "run", "small.toml", "-q", "-o", "a"});
  EXPECT_NE(again.find("nothing to do"), std::string::npos) << again;
  EXPECT_EQ(lines_of(place.read("test_runs.jsonl")).size(), 1u);

  place.write("small.toml", std::string(small_toml) + "\n[arms.lamp]\nnegative_prompt = \"lamp\"\n");
  const Ran refused = place.run(with(run_small, {"a"}));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("arms.lamp"), std::string::npos) << refused.err;
  EXPECT_EQ(lines_of(refused.err).size(), 1u) << refused.err;
  const std::string added = place.results(with(run_small, {"a", "--update"}));
  EXPECT_EQ(place.made(added, "picture"), 4);
  EXPECT_EQ(place.made(added, "metrics"), 4);
  EXPECT_EQ(place.made(added, "lora"), 0);
  EXPECT_EQ(lines_of(place.read("test_runs.jsonl")).size(), 2u) << "another plan looked at the test prompts";

  const std::string tune = "tune = [\"owl on a red background\"]\n\n[sets.wrong]";
  std::string own_list = std::string(small_toml) + "\n[arms.owl]\nprompts = \"tune\"\n";
  own_list.replace(own_list.find("\n[sets.wrong]"), 13, tune);
  place.write("small.toml", own_list);
  EXPECT_EQ(place.made(place.results(with(run_small, {"a", "--update"})), "metrics"), 1);
  EXPECT_EQ(lines_of(place.read("test_runs.jsonl")).size(), 2u) << "a picture of another list is no look at the test prompts";
}

TEST(Experiment, KilledTwiceOrSharedByTwoProcessesItIsTheSame) {
  Small place;
  place.results(with(run_small, {"whole"}));

  EXPECT_TRUE(place.kill_at(place.start(with(run_small, {"killed"})), "killed", 3));
  EXPECT_TRUE(place.kill_at(place.start(with(run_small, {"killed"})), "killed", 12));
  place.results(with(run_small, {"killed"}));
  place.expect_equal("whole", "killed");

  place.environment = {{"OMPI_COMM_WORLD_RANK", "1"}, {"OMPI_COMM_WORLD_SIZE", "2"}};
  const pid_t other = place.start(with(run_small, {"shared"}));
  place.environment = {{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "2"}};
  place.results(with(run_small, {"shared"}));
  place.environment.clear();
  EXPECT_EQ(exit_code_of(other), 0);
  place.expect_equal("whole", "shared");
  EXPECT_NE(place.results({"experiment", "status", "shared"}).find("whole"), std::string::npos);
}

TEST(Experiment, AShardLeavesWhatOthersMakeAndGoesOnWhenItIsThere) {
  const Small place;
  const Ran first = place.run(with(run_small, {"a", "--shard", "0/2"}));
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(place.made(first.out, "set-picture"), 2);
  EXPECT_EQ(place.made(first.out, "lora"), 0) << "its set is not whole";
  EXPECT_EQ(place.made(place.results(with(run_small, {"a", "--shard", "1/2"})), "set-picture"), 2);
  const std::string rest = place.results(with(run_small, {"a"}));
  EXPECT_EQ(place.made(rest, "set-picture"), 0);
  EXPECT_TRUE(parse_json(rest, "report").at("whole").get<bool>());
}

TEST(Experiment, TellsWhatItWouldTakeAndTouchesNothing) {
  const Small place;
  const auto before = place.files();
  const Json forecast = parse_json(place.results({"experiment", "run", "small.toml", "-q", "--dry-run", "--json"}), "forecast");
  EXPECT_EQ(place.files(), before);
  EXPECT_GT(forecast.at("seconds").get<double>(), 0);
  EXPECT_GT(forecast.at("peak_bytes").get<int64_t>(), 0);
  EXPECT_EQ(forecast.at("arms").size(), 5u);
  const Json limited =
      parse_json(place.results({"experiment", "run", "small.toml", "-q", "--budget", "0", "--json"}), "forecast");
  EXPECT_EQ(limited.at("left_out").at("article"), 4) << "no time: everything is left out";
  EXPECT_EQ(place.files(), before);
}

TEST(Experiment, TuningWritesTheChosenValueAndNothingElse) {
  const Small place;
  const std::string toml = std::string(small_toml) + R"(
[tune]
arm = "article"
prompts = 2
most_lost = 1
weight = [0.5, 1.5]
)";
  const auto at = toml.find("[sets.wrong]");
  place.write("small.toml", toml.substr(0, at) + "[prompts.tune]\n" + toml.substr(at));  // a table instead of a list
  EXPECT_EQ(place.run({"experiment", "tune", "small.toml", "-q"}).exit_code, 2);
  const std::string good =
      toml.substr(0, at - 1) + "tune = [\"owl on a red background\", \"bus on a blue background\"]\n\n" + toml.substr(at);
  place.write("small.toml", good);
  const Json result = parse_json(place.results({"experiment", "tune", "small.toml", "-q", "--json"}), "result");
  EXPECT_EQ(result.at("candidates").size(), 2u);
  ASSERT_EQ(result.at("changed"), Json::array({"arms.article.lora"}));
  const auto old_lines = lines_of(good), new_lines = lines_of(place.read("small.toml"));
  ASSERT_EQ(old_lines.size(), new_lines.size());
  for (size_t i = 0; i < old_lines.size(); ++i)
    if (old_lines[i] != new_lines[i]) {
      EXPECT_EQ(old_lines[i], "lora = [\"wrong\"]");
      EXPECT_TRUE(new_lines[i] == "lora = [\"wrong:0.5\"]" || new_lines[i] == "lora = [\"wrong:1.5\"]") << new_lines[i];
    }
  EXPECT_FALSE(fs::exists(place / "test_runs.jsonl")) << "tuning does not look at test prompts";
}

}  // namespace negativa::test
