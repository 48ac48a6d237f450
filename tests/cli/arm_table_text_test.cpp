#include "arm_table_text.h"

#include "../report/made_run.h"
#include "base/json.h"
#include "program.h"

namespace negativa::cli {

namespace {

Values plausible(const RunPlan&, const PlannedCell& picture) {
  const double spread = 0.01 * ((picture.prompt * 7 + picture.arm * 3 + picture.training * 5) % 5 - 2);
  return {{"damage", 0.5 - 0.1 * picture.arm + spread}, {"right_object", picture.arm == 2 ? 0.5 + spread : 0.8}};
}

// The arm `late` has no measurement yet.
TableOfArms made_table() {
  RunPlan plan = made_plan(made_prompts(6, 1), {{"nothing"}, {"article", 1}, {"trader", 1}, {"late", 1}});
  plan.analysis.secondary = {"trader - nothing"};
  const MadeRun run(plan, plausible, [](const PlannedCell& cell) { return cell.arm == 3 && cell.stage == CellStage::metrics; });
  return table_of_arms(run.store, run.plan(), {});
}

}  // namespace

TEST(ArmTableText, HasALineAnArmWithItsIntervalsAndWhatTheySay) {
  const std::string text = text_of(made_table());
  for (const char* part :
       {"damage: difference to the baseline with its 95 % interval; probability of the right object is the guard", "the baseline",
        "better, p < 0.001\n", "trades, p < 0.001 (Holm)", "nothing to say: no picture of both is measured yet", "0 of 6",
        "Better: article has "})
    EXPECT_TRUE(contains(text, part)) << part << " in\n" << text;
}

TEST(ArmTableText, AsJsonHasWhatTheTextHas) {
  const Json json = parse_json(json_of(made_table()), "table of arms");
  const Json& arms = json["arms"];
  EXPECT_FALSE(arms[0].contains("against"));
  EXPECT_EQ(arms[1]["against"]["role"], "primary");
  EXPECT_EQ(arms[2]["against"]["says"], "trades");
  EXPECT_LT(arms[2]["against"]["guard"]["interval"][1].get<double>(), 0);
  EXPECT_EQ(arms[3]["against"]["metric"]["why_absent"], "no picture of both is measured yet");
  EXPECT_EQ(json["faults"].size(), 1u);
}

}  // namespace negativa::cli
