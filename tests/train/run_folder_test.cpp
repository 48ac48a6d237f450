#include "train/run_folder.h"

#include <sys/resource.h>

#include <csignal>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/temporary_folder.h"
#include "io/safetensors.h"
#include "train/lora_parameters.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

Recipe recipe_of(int64_t steps, const Json& more = Json::object()) {
  Json settings = {{"steps", steps}, {"rank", 1}, {"lr_scheduler", "constant"}};
  settings.update(more);
  Recipe recipe;
  recipe.verb = "train lora";
  recipe.settings_json = canonical_json(settings);
  recipe.device = "cpu";
  recipe.dtype = "fp32";
  recipe.threads = 1;
  recipe.inputs.push_back({"model", "emoji-xl", std::string(64, 'a')});
  return recipe;
}

struct RunFolderTest : testing::Test {
  TemporaryFolder folder;
  fs::path out = folder / "a.safetensors", run = folder / "a.run";
  LoraParameters parameters{{{"unet", {"layer", 3, 2}, 1, 1}}, at::kFloat};
  AdamWState optimizer{parameters.flat()};

  RunFolder open(int64_t steps, const Json& more = Json::object()) { return {out, recipe_of(steps, more), false}; }
  std::string refused(int64_t steps, const Json& more = Json::object()) {
    return error_of(ErrorKind::input, [&] { open(steps, more); });
  }
  void save(RunFolder& at, int64_t step) {
    parameters.flat().fill_(static_cast<double>(step));
    optimizer.step = step;
    TrainingState state;
    state.step = step;
    at.save(state, parameters, optimizer);
  }
  // A run as it stands after its last step.
  void finish(int64_t steps) {
    RunFolder at = open(steps);
    at.resume(parameters, optimizer);
    for (int64_t step = 1; step <= steps; ++step) at.add_loss(step, 1.0 / static_cast<double>(step), 1, 1);
    save(at, steps);
    write_atomically(out, "trained");
    at.finish({recipe_of(steps), {}, {}, 0, "", ""});
  }
};

size_t open_files() {
  return static_cast<size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

TEST_F(RunFolderTest, GivesItsLockBackWhateverItThrows) {
  finish(2);
  const size_t before = open_files();
  EXPECT_TRUE(contains(refused(2, {{"rank", 4}}), "rank was 1, is 4"));
  write_atomically(run / names::run_recipe, "no recipe");
  error_of(ErrorKind::file_format, [&] { open(2); });
  EXPECT_EQ(open_files(), before);
  write_atomically(run / names::run_recipe, recipe_of(2).to_text());
  {
    const RunFolder held = open(2);
    EXPECT_EQ(open_files(), before + 1);
    EXPECT_TRUE(contains(refused(2), "another run is going on"));
    EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { RunFolder(out, recipe_of(2), true); }), "another run is going on"));
    EXPECT_EQ(open_files(), before + 1);
  }
  EXPECT_TRUE(open(2).is_finished());
  EXPECT_EQ(open_files(), before);
}

TEST_F(RunFolderTest, GoesOnWithMoreStepsAndWithFewerAsLongAsTheyAreNotDone) {
  finish(4);
  EXPECT_TRUE(open(4).is_finished());
  EXPECT_TRUE(contains(refused(3), "[--steps] got 3, but 4 steps of this run are done"));
  {
    RunFolder longer = open(9);
    EXPECT_FALSE(longer.is_finished());
    EXPECT_EQ(read_file(run / names::run_recipe), recipe_of(4).to_text());  // until the run goes on
    parameters.flat().zero_();
    const auto state = longer.resume(parameters, optimizer);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->step, 4);
    EXPECT_EQ(state->last_loss, 0.25);
    EXPECT_EQ(parameters.flat()[0].item<float>(), 4);
    EXPECT_EQ(read_file(run / names::run_recipe), recipe_of(9).to_text());
  }
  EXPECT_EQ(open(6).steps_done(), 4);  // of an unfinished run of 9
  EXPECT_TRUE(open(4).is_finished());  // which has not moved yet
  {
    RunFolder at = open(9);
    save(at, 5);
  }
  EXPECT_TRUE(contains(refused(4), "5 steps of this run are done"));
}

TEST_F(RunFolderTest, WhereEveryStepFollowsFromTheirNumberALongerRunIsAnotherOne) {
  const Json cosine = {{"lr_scheduler", "cosine"}};
  { open(4, cosine).resume(parameters, optimizer); }
  for (const int64_t steps : {2, 9}) {
    const std::string error = refused(steps, cosine);
    EXPECT_TRUE(contains(error, fmt::format("[--steps] was 4, is {}: with --lr-scheduler cosine", steps))) << error;
  }
  EXPECT_TRUE(contains(refused(9, {{"lr_scheduler", "cosine"}, {"rank", 2}}), "rank was 1, is 2; steps was 4, is 9"));
  EXPECT_TRUE(contains(refused(4), R"(lr_scheduler was "cosine", is "constant")"));
  open(4, cosine);
}

// Version 0.1.0 put the hash of the whole recipe into a checkpoint, and NaN as the best loss.
TEST_F(RunFolderTest, OpensTheRunsOfEarlierVersions) {
  for (const int64_t steps : {4, 9}) {
    fs::remove_all(run);
    finish(4);
    const Metadata old{{"recipe_hash", recipe_of(4).hash()}, {"state", R"({"best_loss":null,"best_step":2,"step":4})"}};
    write_safetensors(run / "checkpoint-00000004.safetensors",
                      {{"parameters", parameters.flat()}, {"exp_avg", optimizer.exp_avg}, {"exp_avg_sq", optimizer.exp_avg_sq}},
                      old);
    for (int i = 0; i < 2; ++i) {  // the second time the recipe is the longer run's
      RunFolder at = open(steps);
      const auto state = at.resume(parameters, optimizer);
      ASSERT_TRUE(state);
      EXPECT_EQ(state->step, 4);
      EXPECT_FALSE(state->best_step);
    }
    fs::remove(out);
  }
  const Metadata other{{"recipe_hash", recipe_of(5).hash()}, {"state", R"({"step":4})"}};
  write_safetensors(run / "checkpoint-00000004.safetensors", {{"parameters", parameters.flat()}}, other);
  RunFolder at = open(9);
  EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { at.resume(parameters, optimizer); }), "checkpoint of another run"));
}

TEST_F(RunFolderTest, NothingHalfWrittenStaysOfAKilledRunNorOfALineThatFindsTheDiskFull) {
  finish(1);
  make_folder(run / names::previews_folder);
  const std::vector<fs::path> begun{run / ".checkpoint-00000001.safetensors.tmp-7-0", run / "previews/.00000001.png.tmp-7-1",
                                    folder / ".a.safetensors.tmp-7-2"};
  for (const auto& file : begun) write_atomically(file, "half");
  write_atomically(folder / ".b.safetensors.tmp-7-3", "another program's");
  write_atomically(run / "checkpoint-00000001 (copy).safetensors", "a person's");
  RunFolder at = open(1);
  at.resume(parameters, optimizer);
  save(at, 1);
  for (const auto& file : begun) EXPECT_FALSE(fs::exists(file)) << file;
  EXPECT_TRUE(fs::exists(folder / ".b.safetensors.tmp-7-3"));
  EXPECT_TRUE(fs::exists(run / "checkpoint-00000001 (copy).safetensors"));

  const std::string before = read_file(run / names::losses_csv);
  rlimit limit{};
  ::getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit full{before.size() + 3, limit.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &full);
  const std::string error = error_of(ErrorKind::machine, [&] { at.add_loss(2, 0.25, 1, 1); });
  ::setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, handler);
  EXPECT_TRUE(contains(error, "disk full")) << error;
  EXPECT_EQ(read_file(run / names::losses_csv), before);
}

TEST_F(RunFolderTest, TheBestStepIsThatOfTheSmallestFiniteLossUpToTheCheckpointAndWhatIsToldOfLaterStepsIsDropped) {
  for (const std::optional<double> best : {std::optional<double>(), std::optional(0.5)}) {
    TrainingState state;
    state.best_loss = best;
    const double infinite = std::numeric_limits<double>::infinity();
    for (const double loss : {std::nan(""), -std::nan(""), infinite, -infinite}) EXPECT_FALSE(state.is_better(loss)) << loss;
    EXPECT_TRUE(state.is_better(0.25));
    EXPECT_EQ(state.is_better(0.5), !best);
  }
  {
    RunFolder at = open(9);
    at.resume(parameters, optimizer);
    for (int64_t step = 1; step <= 6; ++step) at.add_loss(step, 1, 1, 1);
    for (const auto& [step, loss] :
         {std::pair{1, std::nan("")}, {2, 0.5}, {3, 0.25}, {4, 0.5}, {5, std::numeric_limits<double>::infinity()}, {6, 0.125}})
      at.add_validation(step, loss);
    make_folder(run / names::previews_folder);
    for (const char* name : {"00000004.png", "00000006.png"}) write_atomically(run / names::previews_folder / name, "a picture");
    save(at, 4);
  }
  RunFolder at = open(9);
  const auto state = at.resume(parameters, optimizer);
  EXPECT_EQ(state->best_step, 3);
  EXPECT_EQ(state->best_loss, 0.25);
  EXPECT_TRUE(at.has_validation(4) && at.has_preview(4));
  EXPECT_FALSE(at.has_validation(6) || at.has_preview(6));
  EXPECT_EQ(read_file(run / names::validation_csv), "step,loss\n1,nan\n2,0.5\n3,0.25\n4,0.5\n");
}

}  // namespace
}  // namespace negativa
