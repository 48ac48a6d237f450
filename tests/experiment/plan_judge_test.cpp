#include "experiment/plan_judge.h"

#include <algorithm>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/temporary_folder.h"
#include "engine/test_engine.h"
#include "experiment/calibrate.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

fs::path model() { return test::source_folder() / "models/emoji-xl"; }

ExperimentFile experiment() {
  ExperimentFile file;
  file.path = "x.toml";
  file.arms.emplace_back().name = "nothing";
  return file;
}

PlannedJudge planned(const ExperimentFile& file, const std::optional<Calibration>& measured = {}) {
  return plan_judge(test::engine(), file, measured, test::nobody());
}

// The bundled model but for `left_out`, which the test puts there itself.
void link_model(const fs::path& folder, const std::vector<std::string>& left_out) {
  fs::create_directories(folder);
  for (const auto& entry : fs::directory_iterator(model()))
    if (std::find(left_out.begin(), left_out.end(), entry.path().filename()) == left_out.end())
      fs::create_symlink(entry.path(), folder / entry.path().filename());
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

TEST(PlanJudge, TakesTheBundledJudgeAndTheCalibrationBesideItForTheBundledModel) {
  test::Heard heard;
  const test::Listening listening(heard);
  const PlannedJudge judge = planned(experiment());
  EXPECT_EQ(judge.folder.filename(), "judge");
  EXPECT_EQ(judge.input.sha256, judge_input(Judge::load(model() / "judge"), {}).sha256);
  EXPECT_EQ(judge.basis.uncalibrated, "");
  EXPECT_FALSE(judge.basis.damages.empty() || judge.basis.outside.empty());
  const auto world = find_world(judge.folder);
  EXPECT_EQ(judge.metric_names.size(), all_metrics(&*world).size());
  EXPECT_FALSE(judge.calibration);
  EXPECT_TRUE(heard.notices.empty());
  Calibration measured;
  for (const auto& damage : world->damages) measured.damages.push_back({damage, 1, 1});
  EXPECT_EQ(planned(experiment(), measured).basis.damages, world->damages);
  ExperimentFile tuning = experiment();
  tuning.bundled_judge = names::judge_select_folder;
  EXPECT_EQ(planned(tuning).folder.filename(), "judge_select");
}

TEST(PlanJudge, AsksForAJudgeWhereAnotherModelDraws) {
  TemporaryFolder place;
  link_model(place / "other", {"scheduler"});
  fs::copy(model() / "scheduler", place / "other/scheduler");
  const auto config = place / "other/scheduler/scheduler_config.json";
  write_atomically(config, read_file(config) + "\n");
  ExperimentFile file = experiment();
  file.arms.emplace_back().name = "foreign";
  file.arms.back().draw.model.model = (place / "other").string();
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { planned(file); }), "other draws, but the bundled judge"));
  file.options.judge = model() / "judge";
  EXPECT_EQ(planned(file).basis.uncalibrated, "there is no calibration of this judge and model (it is of another model)");
  file.options.calibrate = true;
  file.lines["calibrate"] = 7;
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { planned(file); }), "[x.toml line 7, calibrate]"));
}

TEST(PlanJudge, MeasuresWhatIsAskedForAndWhatTheVerdictSpeaksOf) {
  ExperimentFile file = experiment();
  file.analysis.metrics = {"sharpness"};
  EXPECT_EQ(planned(file).metric_names, (std::vector<std::string>{"right_object", "damage", "sharpness"}));
  file.analysis.metrics = {"sharpnes"};
  file.lines["analysis.metrics"] = 9;
  const std::string line = error_of(ErrorKind::input, [&] { planned(file); });
  EXPECT_TRUE(contains(line, "[x.toml line 9, analysis.metrics] got \"sharpnes\"") && contains(line, "sharpness")) << line;
}

TEST(PlanJudge, KnowsThatAJudgeWithoutAWorldSaysNothingOfDamage) {
  TemporaryFolder place;
  fs::copy(model() / "judge", place / "general");
  fs::remove(place / "general" / names::judge_world);
  ExperimentFile file = experiment();
  file.options.judge = place / "general";
  test::Heard heard;
  const test::Listening listening(heard);
  const PlannedJudge judge = planned(file);
  EXPECT_TRUE(judge.basis.damages.empty());
  EXPECT_TRUE(has(judge.metric_names, "clip_score") && !has(judge.metric_names, "damage"));
  ASSERT_EQ(heard.notices.size(), 1u);
  EXPECT_TRUE(contains(heard.notices[0], "has no world.toml")) << heard.notices[0];
  file.analysis.primary = "a - b";
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { planned(file); }), "analysis.metric] got \"damage\""));
  file.analysis.metric = "clip_score";
  planned(file);
  EXPECT_TRUE(std::any_of(heard.notices.begin(), heard.notices.end(),
                          [](const std::string& notice) { return contains(notice, "does not measure right_object"); }));
  file.lines["analysis.guard"] = 4;
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { planned(file); }), "x.toml line 4, analysis.guard"));
  file.options.calibrate = true;
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { planned(file); }), "has no world.toml"));
}

// A model with a judge that knows one damage, a caption to calibrate with, and a reference picture of each kind.
struct SmallWorld {
  TemporaryFolder place;
  fs::path models = place / "models", folder = models / "emoji-xl";

  SmallWorld() {
    link_model(folder, {"judge", names::reference_folder, names::reference_damaged_folder});
    fs::copy(model() / "judge", folder / "judge");
    fs::remove(folder / "judge" / names::judge_calibration);
    write_atomically(
        folder / "judge" / names::judge_world,
        "damages = [\"blurry\"]\narticles = [\"a \"]\nbetween = \" next to \"\nbackground = \" on a {} background\"\n"
        "objects = [\"frog\"]\ncalibration = [\"frog\"]\n[colours]\nwhite = [243, 243, 243]\n");
    add_reference(names::reference_folder, "000.png", "");
    add_reference(names::reference_damaged_folder, "00_00.png", "blurry");
  }
  void add_reference(const char* kind, const std::string& name, const std::string& damage) {
    make_folder(folder / kind);
    fs::copy_file(model() / kind / name, folder / kind / name);
    const fs::path list = folder / kind / names::metadata_jsonl;
    const Json line = {{"file_name", name}, {"text", "frog"}, {"damage", damage}};
    write_atomically(list, (fs::exists(list) ? read_file(list) : "") + line.dump() + "\n");
  }
};

TEST(PlanJudge, MakesTheCalibrationACellThatThenDecidesWhichDamagesCount) {
  SmallWorld world;
  Engine engine({.places = {.bundled = world.models}});
  ExperimentFile file = experiment();
  file.options.calibrate = true;
  const PlannedJudge judge = plan_judge(engine, file, {}, test::nobody());
  EXPECT_TRUE(contains(judge.basis.uncalibrated, "there is no calibration"));
  RunStore store(world.place / "run", test::nobody().events);
  calibrate_judge(engine, judge, file, store, test::nobody());
  EXPECT_EQ(store.state(*judge.calibration), CellState::whole);
  const auto record = store.record(*judge.calibration);
  EXPECT_EQ(record->inputs.size(), 3u);
  EXPECT_GT(record->timings_s.at("calibrate"), 0);
  const auto calibration = Calibration::from_text(read_file(store.path(*judge.calibration)), "calibration");
  ASSERT_EQ(calibration.damages.size(), 1u);
  EXPECT_EQ(calibration.judge_sha256, judge.input.sha256);
  const PlannedJudge calibrated = plan_judge(engine, file, calibration, test::nobody());
  EXPECT_EQ(calibrated.calibration->address, judge.calibration->address);
  EXPECT_TRUE(contains(calibrated.basis.uncalibrated, "fewer than four"));
  world.add_reference(names::reference_folder, "001.png", "");
  EXPECT_NE(plan_judge(engine, file, {}, test::nobody()).calibration->address, judge.calibration->address);
}

}  // namespace
}  // namespace negativa
