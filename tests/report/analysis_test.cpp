// The analysis of a run folder: against SciPy's and NumPy's numbers of the same values (tools/goldens_report.py), and of runs
// that are not whole.
#include "report/analysis.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "made_run.h"

namespace negativa {

namespace {

const Json& golden() {
  static const Json all = read_json_file(fs::path(NEGATIVA_SOURCE_DIR) / "tests/golden/report.json");
  return all;
}

Values golden_values(const RunPlan& plan, const PlannedCell& picture) {
  const Json& pair =
      golden()["values"][plan.arms[static_cast<size_t>(picture.arm)].name][static_cast<size_t>(std::max(0, picture.training))]
              [static_cast<size_t>(picture.prompt)][static_cast<size_t>(picture.replicate)];
  return {{"damage", pair[0].get<double>()}, {"right_object", pair[1].get<double>()}};
}

RunPlan golden_plan() {
  std::vector<MadeArm> arms;
  for (const char* name : {"nothing", "word", "article", "random", "apart", "trader"})
    arms.push_back({name, golden()["arms"][name].get<int>()});
  RunPlan plan = made_plan(made_prompts(golden()["prompts"].get<size_t>(), golden()["replicates"].get<size_t>()), arms);
  plan.analysis.secondary = golden()["secondary_labels"].get<std::vector<std::string>>();
  return plan;
}

void expect_same(const Estimate& got, const Json& expected) {
  EXPECT_NEAR(got.mean, expected["mean"].get<double>(), 1e-10);
  ASSERT_TRUE(got.inference.has_value());
  EXPECT_NEAR(got.inference->interval.low, expected["low"].get<double>(), 1e-10);
  EXPECT_NEAR(got.inference->interval.high, expected["high"].get<double>(), 1e-10);
  EXPECT_NEAR(got.inference->p_value, expected["p"].get<double>(), 1e-10);
}

void expect_same(const MetricDifference& got, const Json& expected, const AnalysisPlan& analysis) {
  ASSERT_TRUE(got.comparison.has_value());
  expect_same(got.comparison->these, expected["these"]);
  EXPECT_EQ(got.comparison->made_this_way.has_value(), !expected["made_this_way"].is_null());
  if (got.comparison->made_this_way) expect_same(*got.comparison->made_this_way, expected["made_this_way"]);
  EXPECT_NEAR(got.comparison->wilcoxon.p_value.value_or(-1), expected["wilcoxon"].get<double>(), 1e-10);
  expect_same(*verdict_line(got, analysis), expected[expected["line"].get<std::string>()]);
}

// Damage by arm, the same for all its pictures but for a spread over prompts.
ValuesOf damage_by_arm(std::map<std::string, double> damage) {
  return [damage = std::move(damage)](const RunPlan& plan, const PlannedCell& picture) -> Values {
    const double spread = 0.01 * ((picture.prompt * 7 + picture.arm * 3 + picture.training * 5 + picture.replicate) % 5 - 2);
    return {{"damage", damage.at(plan.arms[static_cast<size_t>(picture.arm)].name) + spread}, {"right_object", 0.8 + spread / 2}};
  };
}

}  // namespace

TEST(Report, NumbersOfARunFolderAreScipysAndNumpys) {
  const MadeRun run(golden_plan(), golden_values);
  const Analysis analysis = analyse(run.plan(), run.records());
  ASSERT_TRUE(analysis.primary.has_value());
  expect_same(analysis.primary->metric, golden()["primary"]["damage"], run.plan().analysis);
  expect_same(analysis.primary->guard, golden()["primary"]["right_object"], run.plan().analysis);
  EXPECT_EQ(says_word(analysis.primary->says), golden()["primary"]["says"].get<std::string>());
  ASSERT_EQ(analysis.secondary.size(), golden()["secondary"].size());
  for (size_t i = 0; i < analysis.secondary.size(); ++i) {
    const Json& expected = golden()["secondary"][i];
    const Comparison& got = analysis.secondary[i];
    SCOPED_TRACE(got.label);
    EXPECT_EQ(got.label, expected["label"].get<std::string>());
    expect_same(got.metric, expected["damage"], run.plan().analysis);
    expect_same(got.guard, expected["right_object"], run.plan().analysis);
    EXPECT_NEAR(got.p_value.value_or(-1), expected["adjusted"].get<double>(), 1e-10);
    EXPECT_EQ(says_word(got.says), expected["says"].get<std::string>());
    ASSERT_TRUE(got.together.has_value());
    EXPECT_NEAR(got.together->low, expected["together"][0].get<double>(), 1e-10);
    EXPECT_NEAR(got.together->high, expected["together"][1].get<double>(), 1e-10);
  }
  ASSERT_EQ(analysis.not_in_plan.size(), 1u);  // it still counts in the family
  EXPECT_TRUE(contains(analysis.not_in_plan[0], "absent - nothing")) << analysis.not_in_plan[0];
  for (const char* part : {"Worse: article has ", "more damage than nothing", "95 % interval from +", "LoRAs made this way",
                           "prompts like these 14"})
    EXPECT_TRUE(contains(analysis.verdict, part)) << analysis.verdict;
}

TEST(Report, InTheTableOfArmsWhatLosesTheRightObjectForCertainTradesAndIsNotBetter) {
  const MadeRun run(golden_plan(), golden_values);
  const TableOfArms table = table_of_arms(run.store, run.plan());
  std::map<std::string, const ArmRow*> rows;
  for (const auto& row : table.rows) rows[row.name] = &row;
  EXPECT_EQ(rows.at("apart")->against->says, Says::better) << rows.at("apart")->against->why;
  EXPECT_EQ(rows.at("trader")->against->says, Says::trades);
  EXPECT_TRUE(contains(rows.at("trader")->against->why, "right object")) << rows.at("trader")->against->why;
  EXPECT_FALSE(rows.at("nothing")->against.has_value());
  EXPECT_NEAR(rows.at("nothing")->mean->mean, 0.4, 0.1);
  EXPECT_EQ(rows.at("apart")->against->role, Role::secondary);  // the table and the family have the same p
  EXPECT_NEAR(*rows.at("apart")->against->p_value, golden()["secondary"][2]["adjusted"].get<double>(), 1e-10);
  EXPECT_EQ(rows.at("random")->against->role, Role::exploratory);
}

TEST(Report, ThePlansLineIsUsedOnlyWithThreeTrainings) {
  for (const int trainings : {1, 2, 3}) {
    const MadeRun run(made_plan(made_prompts(6, 1), {{"nothing"}, {"article", trainings}}),
                      damage_by_arm({{"nothing", 0.5}, {"article", 0.4}}));
    const Analysis analysis = analyse(run.plan(), run.records());
    EXPECT_EQ(verdict_line(analysis.primary->metric, run.plan().analysis)->claim,
              trainings == 3 ? Claim::loras_made_this_way : Claim::these_loras);
    EXPECT_TRUE(contains(analysis.verdict, trainings == 1   ? "this LoRA"
                                           : trainings == 2 ? "these 2 LoRAs"
                                                            : "LoRAs made this way"))
        << analysis.verdict;
  }
  RunPlan plan = made_plan(made_prompts(6, 1), {{"nothing"}, {"article", 3}});
  plan.analysis.claim = "these";
  const MadeRun run(plan, damage_by_arm({{"nothing", 0.5}, {"article", 0.4}}));
  const Analysis analysis = analyse(run.plan(), run.records());
  EXPECT_EQ(verdict_line(analysis.primary->metric, plan.analysis)->claim, Claim::these_loras);
}

TEST(Report, ADifferenceThatIsNotClearSaysHowManyPromptsWouldShowIt) {
  const MadeRun run(made_plan(made_prompts(8, 1), {{"nothing"}, {"article", 1}}),
                    damage_by_arm({{"nothing", 0.5}, {"article", 0.499}}));
  const Analysis analysis = analyse(run.plan(), run.records());
  EXPECT_EQ(analysis.primary->says, Says::unclear);
  EXPECT_TRUE(contains(analysis.verdict, "Not clear")) << analysis.verdict;
  EXPECT_TRUE(contains(analysis.verdict, "80 % power for a difference of")) << analysis.verdict;
}

TEST(Report, OfATrainingThatHasOnlyBegunTheOthersPicturesStay) {
  const auto is_late = [](const PlannedCell& cell) { return cell.training == 2 && cell.prompt > 0; };
  const MadeRun run(made_plan(made_prompts(6, 2), {{"nothing"}, {"article", 3}}),
                    damage_by_arm({{"nothing", 0.5}, {"article", 0.4}}), is_late);
  const Analysis analysis = analyse(run.plan(), run.records());
  const auto& metric = analysis.primary->metric;
  EXPECT_EQ(metric.comparison->table.trainings, (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(metric.comparison->table.prompts.size(), 6u);
  EXPECT_EQ(metric.pairs, 24u);
  EXPECT_EQ(metric.unmeasured, 12u);
  EXPECT_TRUE(contains(analysis.verdict, "not whole: 24 pairs of 36")) << analysis.verdict;
}

TEST(Report, MissingPicturesLeaveTheirPromptAndReplicateOutOfBothArms) {
  const auto is_lost = [](const PlannedCell& cell) { return cell.arm == 0 && cell.prompt == 3 && cell.replicate == 1; };
  const MadeRun run(made_plan(made_prompts(6, 2), {{"nothing"}, {"article", 3}}),
                    damage_by_arm({{"nothing", 0.5}, {"article", 0.4}}), is_lost);
  const RunRecords records = run.records();
  const MetricDifference metric = analyse(run.plan(), records).primary->metric;
  EXPECT_EQ(metric.pairs, 33u);
  EXPECT_EQ(metric.unmeasured, 3u);
  EXPECT_EQ(metric.comparison->table.prompts.size(), 6u);
  EXPECT_EQ(records.faults, (std::vector<std::string>{"missing: 1 picture of 12 in the arm nothing",
                                                      "missing: 1 row of metrics of 12 in the arm nothing"}));
}

TEST(Report, ARunWithoutMeasurementsHasNoVerdictAndSaysWhy) {
  const MadeRun run(golden_plan(), golden_values, [](const PlannedCell&) { return true; });
  const Analysis analysis = analyse(run.plan(), run.records());
  EXPECT_EQ(analysis.primary->says, Says::nothing);
  EXPECT_EQ(
      analysis.verdict,
      "No verdict yet on article - nothing: no picture of both is measured yet. The run is not whole: 0 pairs of 84 are in it.");
}

TEST(Report, PicturesOfWhichAMetricSaysNothingAreNotMissing) {
  const ValuesOf values = [](const RunPlan& plan, const PlannedCell& picture) {
    Values all = damage_by_arm({{"nothing", 0.5}, {"article", 0.4}})(plan, picture);
    if (picture.prompt == 2) all["damage"] = std::nullopt;
    return all;
  };
  const MadeRun run(made_plan(made_prompts(6, 2), {{"nothing"}, {"article", 2}}), values);
  const MetricDifference metric = analyse(run.plan(), run.records()).primary->metric;
  EXPECT_EQ(metric.comparison->table.prompts.size(), 5u);
  EXPECT_EQ(metric.pairs, 20u);
  EXPECT_EQ(metric.without_value, 4u);
  EXPECT_EQ(metric.unmeasured, 0u);
}

TEST(Report, ASweepsArmStandsAgainstTheBaselineOfTheSameValues) {
  const std::vector<MadeArm> arms = {{"nothing"},
                                     {"article", 1},
                                     {"cfg/nothing/6", 0, "cfg", "nothing", {{"cfg_scale", "6"}}},
                                     {"cfg/article/6", 1, "cfg", "article", {{"cfg_scale", "6"}}},
                                     {"cfg/article/8", 1, "cfg", "article", {{"cfg_scale", "8"}}},
                                     {"hedgehog", 0, "", "", {}, "subject"},
                                     {"merged", 1, "", "", {}, "subject"}};
  const RunPlan plan = made_plan(made_prompts(2, 1), arms);
  EXPECT_EQ(baseline_of(plan, 3, 0), 2);
  EXPECT_EQ(baseline_of(plan, 4, 0), 0);  // the sweep has none: the run's
  EXPECT_EQ(baseline_of(plan, 6, 0), 5);  // other prompts: the first arm of that list
  EXPECT_EQ(baseline_of(plan, 5, 0), 5);
}

TEST(Report, AUniformDifferenceHasNoIntervalAndSaysWhy) {
  const ValuesOf values = [](const RunPlan&, const PlannedCell& picture) -> Values {
    return {{"damage", picture.arm == 0 ? 0.5 : 0.25}, {"right_object", 0.5}};
  };
  const MadeRun run(made_plan(made_prompts(4, 1), {{"nothing"}, {"article", 1}}), values);
  const Analysis analysis = analyse(run.plan(), run.records());
  EXPECT_EQ(analysis.primary->says, Says::nothing);
  EXPECT_TRUE(contains(analysis.verdict, "no spread")) << analysis.verdict;
}

}  // namespace negativa
