#include "jobs/experiment_report.h"

#include <gtest/gtest.h>

#include "../report/made_run.h"
#include "base/files.h"
#include "engine/test_engine.h"
#include "experiment/metrics/metric.h"
#include "report/metric_facts.h"

namespace negativa {

namespace {

Values plausible(const RunPlan&, const PlannedCell& picture) {
  const double spread = 0.01 * ((picture.prompt * 7 + picture.arm * 3 + picture.replicate) % 5 - 2);
  return {{"damage", 0.5 - 0.05 * picture.arm + spread}, {"right_object", 0.8 + spread}};
}

std::string png_of(const PlannedCell&) { return encode_png(Image8::filled(8, 8, {1, 2, 3})); }

}  // namespace

TEST(ExperimentReport, WritesThePageTheKeptCopyAndTheSheets) {
  RunPlan plan = made_plan(made_prompts(3, 1), {{"nothing"}, {"article", 1}});
  plan.counts_test_run = true;
  const MadeRun run(plan, plausible, {}, png_of);
  write_atomically(run.folder / "test_runs.jsonl", R"({"run":"one"}
{"run":"two"}
)");
  ExperimentReportOptions options;
  options.run = run.folder.path();
  options.keep = run.folder / "kept.html";
  options.sheets = true;
  options.toml = run.folder / "made.toml";
  const ExperimentReport report = test::run(experiment_report, options);
  ASSERT_EQ(report.written.size(), 3u);
  EXPECT_EQ(report.written[0], run.folder / "report.html");
  EXPECT_EQ(report.written[1], options.keep);
  EXPECT_EQ(report.written[2], run.folder / "sheets/pictures-test.png");
  EXPECT_TRUE(contains(read_file(report.page), "2 runs of plans"));
  EXPECT_EQ(report.pictures, 6u);
  EXPECT_EQ(report.table.rows.size(), 2u);
  EXPECT_TRUE(report.table.faults.empty());
  EXPECT_EQ(read_png(report.written[2]).text.at(0).second, "made: pictures-test");
}

TEST(ExperimentReport, OfNoRunFolderOrADamagedPlanIsOneErrorLine) {
  TemporaryFolder empty;
  ExperimentReportOptions options;
  options.run = empty.path();
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { test::run(experiment_report, options); }), "has no plan.json"));
  const MadeRun run(made_plan(made_prompts(2, 1), {{"nothing"}}), plausible, {}, png_of);
  options.run = run.folder.path();
  std::string text = read_file(run.folder / "plan.json");
  write_atomically(run.folder / "plan.json", text.replace(text.find("nothing"), 7, "Nothing"));
  EXPECT_TRUE(
      contains(error_of(ErrorKind::file_format, [&] { test::run(experiment_report, options); }), "is damaged or was edited"));
}

// Metrics are measured in one room and told in another that does not know it.
TEST(ExperimentReport, KnowsOfEveryMetricWhichSideIsTheBetter) {
  World world;
  world.damages = {"low quality", "missing or extra fingers"};
  for (const auto& metric : all_metrics(&world)) {
    const BetterSide expected = metric.better == Better::higher  ? BetterSide::higher
                                : metric.better == Better::lower ? BetterSide::lower
                                                                 : BetterSide::neither;
    EXPECT_EQ(metric_facts(metric.name).better, expected) << metric.name;
    EXPECT_EQ(metric_facts(metric.name).unit.empty(), metric.unit.empty()) << metric.name;
  }
  EXPECT_EQ(damage_column("missing or extra fingers"), damage_metric_name("missing or extra fingers"));
}

}  // namespace negativa
