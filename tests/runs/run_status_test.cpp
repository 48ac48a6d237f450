#include "runs/run_status.h"

#include <algorithm>

#include "base/names.h"
#include "small_run.h"

namespace negativa {
namespace {

const StageStatus& of_stage(const RunStatus& status, CellStage stage) {
  return *std::find_if(status.stages.begin(), status.stages.end(), [&](const auto& one) { return one.stage == stage; });
}

std::string csv_of(const SmallRun& run) {
  write_metrics_csv(run.store, *run.store.frozen());
  return read_file(run.folder / names::metrics_csv);
}

TEST(RunStatus, OfAWholeRunIsFinishedWithNothingLeft) {
  const SmallRun run;
  const RunStatus status = run_status(run.store);
  EXPECT_TRUE(status.finished());
  EXPECT_EQ(status.name, "small");
  ASSERT_EQ(status.stages.size(), 5u) << "stages of which nothing is planned are not spoken of";
  EXPECT_EQ(status.stages[0].stage, CellStage::set_picture);
  EXPECT_EQ(status.stages[4].stage, CellStage::metrics);
  EXPECT_EQ(of_stage(status, CellStage::picture).whole, 4u);
  ASSERT_EQ(status.arms.size(), 2u);
  EXPECT_EQ(status.arms[1].arm, "article");
  EXPECT_EQ(status.arms[1].drawn, 2u);
  EXPECT_EQ(status.arms[1].measured, 2u);
  EXPECT_EQ(status.arms[1].planned, 2u);
  EXPECT_EQ(status.seconds_spent, 22);
  EXPECT_EQ(status.seconds_left, 0);
  EXPECT_TRUE(status.damaged.empty());
  EXPECT_TRUE(status.orphans.empty());
}

TEST(RunStatus, CountsWhatIsMissingAndDamagedAndNamesIt) {
  SmallRun run;
  fs::remove(run.file(first_picture));
  replace_file(run.file(first_picture + 1), "x");
  fs::remove(run.file(first_row + 2));
  replace_file(run.folder / "pictures/old-11111111.png", "x");
  const RunStatus status = run_status(run.store);
  EXPECT_FALSE(status.finished());
  const StageStatus& pictures = of_stage(status, CellStage::picture);
  EXPECT_EQ(pictures.whole, 2u);
  EXPECT_EQ(pictures.damaged, 1u);
  EXPECT_EQ(pictures.missing, 1u);
  EXPECT_EQ(status.arms[0].drawn, 0u);
  EXPECT_EQ(status.arms[0].measured, 2u);
  EXPECT_EQ(status.arms[1].measured, 1u);
  ASSERT_EQ(status.damaged.size(), 1u);
  EXPECT_TRUE(contains(status.damaged[0], run.file(first_picture + 1).string()));
  EXPECT_EQ(status.orphans, std::vector<std::string>{"pictures/old-11111111.png"});
}

TEST(RunStatus, TellsTheTimeLeftFromTheMedianOfEachStage) {
  SmallRun run(false);
  const auto make_in = [&](size_t number, double seconds) {
    CellRecord record = record_of(run.store, run.cell(number));
    record.timings_s = {{"total", seconds}};
    run.store.write(run.cell(number), run.cell(number).stage == CellStage::metrics ? "" : "x", record);
  };
  EXPECT_FALSE(run_status(run.store).seconds_left) << "nothing was made";
  make_in(set_picture, 1);
  make_in(set_manifest, 1);
  make_in(lora, 10);
  make_in(first_picture, 2);
  make_in(first_picture + 1, 3);
  make_in(first_picture + 2, 100);
  EXPECT_FALSE(run_status(run.store).seconds_left) << "nothing was measured";
  make_in(first_row, 0.5);
  const RunStatus status = run_status(run.store);
  EXPECT_EQ(status.seconds_left, 3 + 3 * 0.5);
  EXPECT_EQ(status.seconds_spent, 117.5);
  make_in(first_picture + 3, 5);
  make_in(first_row + 1, 1);
  EXPECT_EQ(run_status(run.store).seconds_left, 2 * 0.75);
}

TEST(RunStatus, APictureThatTwoArmsShareCountsOnceAndInEachArm) {
  RunPlan plan = small_plan();
  for (const size_t shared : {size_t{first_picture}, size_t{first_row}}) {
    plan.cells.push_back(plan.cells[shared]);
    plan.cells.back().arm = 1;
  }
  plan.cells.back().inputs = {plan.cells.size() - 2};
  const SmallRun run(true, plan);
  const RunStatus status = run_status(run.store);
  EXPECT_EQ(of_stage(status, CellStage::picture).whole, 4u);
  EXPECT_EQ(status.arms[1].planned, 3u);
  EXPECT_EQ(status.arms[1].drawn, 3u);
  EXPECT_EQ(status.arms[1].measured, 3u);
  const std::string csv = csv_of(run);
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 6) << csv;
}

TEST(RunStatus, OfARunThatWasNotBegunIsRefused) {
  const TemporaryFolder folder;
  EventSink events;
  const RunStore store(folder.path(), events);
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { run_status(store); }), "has no plan.json"));
}

TEST(MetricsCsv, HasALineForEachMeasuredPictureInThePlansOrder) {
  const SmallRun run;
  const std::string csv = csv_of(run);
  const auto picture = [&](size_t number) { return run.cell(first_picture + number).file; };
  EXPECT_EQ(csv,
            "arm,training,prompt,group,replicate,seed,picture,damage,right_object\n"
            "plain,,\"frog, \"\"green\"\"\",animal,0,5," +
                picture(0) + ",0.1,\n" + "plain,,pizza,food,0,18446744073709551614," + picture(1) + ",0.1,\n" +
                "article,0,\"frog, \"\"green\"\"\",animal,0,5," + picture(2) + ",0.1,\n" +
                "article,0,pizza,food,0,18446744073709551614," + picture(3) + ",0.1,\n");
  EXPECT_EQ(csv_of(run), csv);
}

TEST(MetricsCsv, LeavesOutWhatIsNotMeasuredOrOfAnotherPicture) {
  SmallRun run;
  fs::remove(run.file(first_row));
  fs::remove(run.record_file(first_picture + 1));
  run.store.write(run.cell(first_picture + 1), "drawn elsewhere", {});
  const std::string csv = csv_of(run);
  EXPECT_FALSE(contains(csv, "plain")) << csv;
  EXPECT_TRUE(contains(csv, run.cell(first_picture + 2).file)) << csv;
}

}  // namespace
}  // namespace negativa
