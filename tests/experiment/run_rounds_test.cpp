// Rounds of rejecting on the bundled model: what each is made of, and that stopping, repeating and wrong input lose nothing.
#include "experiment/run_rounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/sha256.h"
#include "experiment/small_experiment.h"
#include "io/models_folder.h"
#include "runs/pair_ratings.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* toml = R"(
seed = 1
[default]
threads = 1
steps = 1
[prompts]
test = ["frog on a teal background", { prompt = "pizza on a red background", group = "food" }, "owl on a white background"]
[sets.wrong]
keywords = ["blurry"]
pictures = 2
caption = "wrong"
[loras.wrong]
set = "wrong"
steps = 2
rank = 2
batch_size = 1
[loras.random]
random_of = "wrong"
[arms.nothing]
[arms.article]
negative_prompt = "wrong"
lora = ["wrong:1:negative"]
[arms.random]
lora = ["random"]
[analysis]
primary = "article - nothing"
)";

// A whole run, made once for all tests; each has a copy.
const fs::path& whole_run() {
  static const TemporaryFolder place;
  static const fs::path run = [] {
    const ExperimentFile file = parse_experiment(toml, place / "small.toml");
    run_experiment(test::engine(), {file, place / "run", {}}, test::nobody());
    return place / "run";
  }();
  return run;
}

struct RunRounds : testing::Test {
  const TemporaryFolder place;
  EventSink events;
  const CancelToken never;
  // Stops a request at a step of its trainings, counted from 1.
  struct StopAt : EventSink {
    explicit StopAt(int64_t loss) : left(loss) {}
    int64_t left;
    CancelToken stop;
    void on_loss(const LossEvent&) override {
      if (--left == 0) stop.cancel();
    }
  };

  RunRounds() { fs::copy(whole_run(), place / "run", fs::copy_options::recursive); }

  RoundsRequest request(RejectBy reject, std::optional<size_t> rounds = {}) const {
    RoundsRequest request;
    request.run = place / "run";
    request.reject = reject;
    request.rounds = rounds;
    return request;
  }
  RoundsResult run(const RoundsRequest& request) { return run_rounds(test::engine(), request, {events, never}); }
  std::string error(const RoundsRequest& request, ErrorKind kind = ErrorKind::input) {
    return error_of(kind, [&] { run(request); });
  }
  fs::path folder(RejectBy reject) const { return place / "run" / "rounds" / reject_name(reject); }

  static const PlannedCell& lora_of(const RunPlan& plan, const std::string& name) {
    for (const auto& cell : plan.cells)
      if (cell.stage == CellStage::lora && cell.name == name) return cell;
    throw std::logic_error("no LoRA " + name);
  }
};

TEST_F(RunRounds, GoOnFromTheLoraBeforeOnWhatTheChoosingJudgeFoundWorst) {
  const RoundsResult result = run(request(RejectBy::judge_select, 2));
  EXPECT_EQ(result.made, 2u);
  EXPECT_EQ(result.arm, "article");
  EXPECT_EQ(result.stopped, "2 rounds were asked for");
  const RunPlan& plan = result.run.plan;
  ASSERT_EQ(plan.arms.size(), 3u);
  EXPECT_EQ(parse_json(plan.arms[2].settings_json, "arm")["negative_prompt"], "wrong");
  const RunStore store = RunStore::open(result.folder / names::rounds_run, events);
  const RunStore before = RunStore::open(place / "run", events);
  const auto first = store.record(lora_of(plan, "round-1")), second = store.record(lora_of(plan, "round-2"));
  const auto base = before.record(lora_of(*before.frozen(), "wrong"));
  ASSERT_TRUE(first && second && base);
  const auto has = [](const CellRecord& record, const std::string& sha256) {
    return std::any_of(record.inputs.begin(), record.inputs.end(), [&](const auto& input) { return input.sha256 == sha256; });
  };
  EXPECT_TRUE(has(*first, base->sha256));
  EXPECT_TRUE(has(*second, first->sha256));
  EXPECT_FALSE(has(*second, base->sha256));
  // Round 0 is not drawn again; what is taken is what would be drawn.
  const auto made = [&](CellStage stage) {
    for (const auto& count : result.run.stages)
      if (count.stage == stage) return count.made;
    return size_t{0};
  };
  EXPECT_EQ(made(CellStage::picture), 3u);  // of the last round
  for (const auto& cell : plan.cells) {
    if (cell.stage != CellStage::picture || cell.arm != 0) continue;
    const std::string taken = read_file(store.path(cell));
    fs::remove(store.path(cell));
    run(request(RejectBy::judge_select, 2));
    EXPECT_EQ(read_file(store.path(cell)), taken);
    break;
  }
  // A quarter of three pictures, rounded.
  ASSERT_EQ(result.rounds.size(), 3u);
  EXPECT_EQ(result.rounds[1].rejects, 1u);
  EXPECT_FALSE(result.rounds[0].over_first);
  ASSERT_TRUE(result.rounds[2].over_first && result.rounds[2].over_before);
  EXPECT_EQ(result.rounds[2].over_first->prompts, 3u);
  EXPECT_EQ(result.rounds[2].over_before->second, "round-1");
}

TEST_F(RunRounds, StoppedInTheSecondTheyEndInTheBytesOfOnesThatWereNot) {
  const RoundsResult whole = run(request(RejectBy::random, 2));
  fs::rename(folder(RejectBy::random), place / "whole");
  StopAt stops(3);  // two steps a round
  error_of(ErrorKind::cancelled, [&] { run_rounds(test::engine(), request(RejectBy::random, 2), {stops, stops.stop}); });
  EXPECT_TRUE(fs::exists(folder(RejectBy::random) / names::rounds_file));
  const RoundsResult result = run(request(RejectBy::random, 2));
  EXPECT_EQ(result.made, 0u);  // the second had begun
  const std::string lora = lora_of(whole.run.plan, "round-2").file;
  EXPECT_EQ(sha256_file(place / "whole" / names::rounds_run / lora), sha256_file(result.folder / names::rounds_run / lora));
  EXPECT_EQ(read_file(place / "whole" / names::rounds_file), read_file(result.folder / names::rounds_file));
  // And once more there is nothing to do.
  const RoundsResult again = run(request(RejectBy::random, 2));
  EXPECT_EQ(again.made, 0u);
  for (const auto& stage : again.run.stages) EXPECT_EQ(stage.made, 0u) << stage_name(stage.stage);
}

TEST_F(RunRounds, OfAFolderOneFollowsFromItsPicturesAndAnotherWhenTheyAreOthers) {
  const RunStore store = RunStore::open(whole_run(), events);
  std::vector<fs::path> pictures;
  for (const auto& cell : store.frozen()->cells)
    if (cell.stage == CellStage::picture) pictures.push_back(whole_run() / cell.file);
  fs::create_directory(place / "mine");
  fs::copy_file(pictures[0], place / "mine" / "a.png");
  RoundsRequest asked = request(RejectBy::folder);
  asked.rejects = place / "mine";
  EXPECT_EQ(run(asked).made, 1u);
  const RoundsResult same = run(asked);
  EXPECT_EQ(same.made, 0u);
  EXPECT_THAT(same.stopped, HasSubstr("are those of round-1 already"));
  fs::copy_file(pictures[1], place / "mine" / "b.png");
  const RoundsResult more = run(asked);
  EXPECT_EQ(more.made, 1u);
  EXPECT_EQ(more.rounds.back().rejects, 2u);
}

TEST_F(RunRounds, OfPeopleWaitForAFinishedRating) {
  const RoundsResult waiting = run(request(RejectBy::people));
  EXPECT_EQ(waiting.made, 0u);
  EXPECT_THAT(waiting.stopped, HasSubstr("nobody has rejected pictures of article in a finished rating; negativa rate "));
  const RunStore store = RunStore::open(place / "run", events);
  const auto picture = [&](const std::string& arm) {
    for (const auto& cell : store.frozen()->cells)
      if (cell.stage == CellStage::picture && store.frozen()->arms[static_cast<size_t>(cell.arm)].name == arm) return cell.file;
    throw std::logic_error("no picture");
  };
  const fs::path file = place / "run" / pair_ratings_file;
  append_plan(file, {"00000000000000aa", "", {"nothing", "article"}, 1, 1});
  PairRating answer;
  answer.plan = "00000000000000aa";
  answer.prompt = "frog on a teal background";
  answer.left_arm = "article";
  answer.right_arm = "nothing";
  answer.left_picture = picture("article");
  answer.right_picture = picture("nothing");
  answer.answer = PairAnswer::right;
  append_answer(file, answer);
  const RoundsResult result = run(request(RejectBy::people));
  EXPECT_EQ(result.made, 1u);
  EXPECT_EQ(result.stopped, "one round follows from these rejects");
  EXPECT_EQ(run(request(RejectBy::people)).made, 0u);
}

TEST_F(RunRounds, RefuseWhatTheRunHasNot) {
  RoundsRequest asked = request(RejectBy::judge_select, 1);
  asked.arm.arm = "artikle";
  EXPECT_THAT(error(asked), HasSubstr("[--arm] the run has no arm \"artikle\"; did you mean article?"));
  asked.arm.arm = "nothing";
  EXPECT_THAT(error(asked), HasSubstr("the arm nothing has no LoRAs that the run trains on a set"));
  asked.arm.arm = "random";
  EXPECT_THAT(error(asked), HasSubstr("the arm random has no LoRAs that the run trains on a set"));
  asked = request(RejectBy::folder);
  asked.rejects = place / "none";
  EXPECT_THAT(error(asked), HasSubstr("expected people, judge_select, random or a folder of pictures"));
  fs::create_directory(place / "none");
  EXPECT_THAT(error(asked), HasSubstr("has no pictures"));
  write_atomically(place / "none" / "broken.png", "no picture");
  EXPECT_THAT(error(asked, ErrorKind::file_format), HasSubstr("broken.png"));
  asked = request(RejectBy::judge_select, 1);
  asked.judge_select = default_model(test::places()) / names::judge_folder;
  EXPECT_THAT(error(asked), HasSubstr("chooses and judges"));
}

TEST_F(RunRounds, RefuseOtherSettingsThanTheyBeganWithAndAFileThatIsNotTheirs) {
  run(request(RejectBy::random, 1));
  RoundsRequest asked = request(RejectBy::random, 1);
  asked.share = 0.5;
  EXPECT_THAT(error(asked), HasSubstr("[--share] these rounds began with 0.25"));
  asked = request(RejectBy::random, 1);
  asked.arm.caption = "bad";
  EXPECT_THAT(error(asked), HasSubstr("[--caption] these rounds began with wrong"));
  const fs::path state = folder(RejectBy::random) / names::rounds_file;
  const std::string text = read_file(state);
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    write_atomically(state, changed.replace(changed.find(from), from.size(), to));
  };
  with("\"rejects/", "\"../../");
  EXPECT_THAT(error(request(RejectBy::random, 1), ErrorKind::file_format), HasSubstr("expected a folder in rejects/"));
  with("\"format\": 1", "\"format\": 2");
  EXPECT_THAT(error(request(RejectBy::random, 1), ErrorKind::file_format), HasSubstr("has format 2"));
  write_atomically(state, text.substr(0, 40));
  EXPECT_THAT(error(request(RejectBy::random, 1), ErrorKind::file_format), HasSubstr("rounds.json"));
  const std::string hash = parse_json(text, "rounds.json")["base_sha256"];
  with(hash, sha256_hex("another run"));
  EXPECT_THAT(error(request(RejectBy::random, 1)), HasSubstr("the run is planned otherwise than when these rounds began"));
}

}  // namespace
}  // namespace negativa
