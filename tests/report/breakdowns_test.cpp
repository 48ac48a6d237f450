// Tables beside the verdict: by damage, by group, over sweeps; contact sheets.
#include "report/breakdowns.h"

#include <gtest/gtest.h>

#include "image/image.h"
#include "image/sheet.h"
#include "made_run.h"
#include "report/contact_sheets.h"

namespace negativa {

namespace {

double spread_of(const PlannedCell& picture) {
  return 0.01 * ((picture.prompt * 7 + picture.arm * 3 + picture.replicate) % 5 - 2);
}

// Arm 1 lessens damage by 0.2 with animals (even prompts) and by 0.1 with food; it makes things blurry, and loses the object.
Values by_prompt(const RunPlan&, const PlannedCell& picture) {
  const double effect = picture.arm == 0 ? 0 : picture.prompt % 2 == 0 ? 0.2 : 0.1, spread = spread_of(picture);
  return {{"damage", 0.5 - effect + spread},
          {"right_object", 0.8 - effect / 2 + spread},
          {"damage_blurry", 0.2 + effect + spread},
          {"damage_ugly", 0.1 + spread}};
}

RunPlan swept_plan() {
  return made_plan(made_prompts(4, 2), {{"nothing"},
                                        {"word"},
                                        {"cfg/nothing/8", 0, "cfg", "nothing", {{"cfg_scale", "8"}}},
                                        {"cfg/nothing/10", 0, "cfg", "nothing", {{"cfg_scale", "10"}}},
                                        {"cfg/word/8", 0, "cfg", "word", {{"cfg_scale", "8"}}},
                                        {"cfg/word/10", 0, "cfg", "word", {{"cfg_scale", "10"}}}});
}

// Damage by arm's number; of a swept word arm 0.01 a unit of cfg less than nothing's.
Values by_cfg(const RunPlan& plan, const PlannedCell& picture) {
  const PlannedArm& arm = plan.arms[static_cast<size_t>(picture.arm)];
  const double cfg = arm.axes.empty() ? 5 : std::stod(arm.axes[0].second), spread = spread_of(picture);
  const bool is_word = arm.name == "word" || arm.of_arm == "word";
  return {{"damage", 0.05 * cfg - (is_word ? 0.01 * cfg : 0) + spread}, {"right_object", 0.5 + spread}};
}

struct Opened {
  explicit Opened(const MadeRun& run)
      : records(run.records()), differences(run.plan(), records), compared{run.plan(), records, differences, 0} {}
  RunRecords records;
  Differences differences;
  Compared compared;
};

}  // namespace

TEST(Breakdowns, DamagesAndGroupsHaveEachArmsDifferenceOfItsOwnPictures) {
  const MadeRun run(made_plan(made_prompts(8, 2), {{"nothing"}, {"article"}}), by_prompt);
  const Opened opened(run);
  const Cross damages = by_damage(opened.compared), groups = by_group(opened.compared, "damage");
  EXPECT_EQ(damages.columns, (std::vector<std::string>{"blurry", "ugly"}));
  EXPECT_NEAR(damages.cells[0][0]->line.mean, 0.15, 0.02);
  EXPECT_EQ(damages.cells[0][0]->says, Says::worse);
  EXPECT_EQ(damages.cells[0][1]->says, Says::unclear);
  EXPECT_EQ(groups.columns, (std::vector<std::string>{"animals", "food"}));
  EXPECT_NEAR(groups.cells[0][0]->line.mean, -0.2, 0.02);
  EXPECT_NEAR(groups.cells[0][1]->line.mean, -0.1, 0.02);
  EXPECT_EQ(groups.cells[0][0]->line.prompts, 4u);
}

TEST(Breakdowns, DamagesOutsideTheScoreAreMarked) {
  RunPlan plan = made_plan(made_prompts(2, 1), {{"nothing"}, {"article"}});
  plan.damages = {"ugly"};
  const MadeRun run(plan, by_prompt);
  EXPECT_EQ(by_damage(Opened(run).compared).outside, (std::vector<std::string>{"blurry"}));
}

TEST(Breakdowns, ASweepHasItsValuesInOrderTheArmsOwnAmongThemEachAgainstTheBaselineThere) {
  const MadeRun run(swept_plan(), by_cfg);
  const auto sweeps = sweeps_of(Opened(run).compared, "damage");
  ASSERT_EQ(sweeps.size(), 1u);
  EXPECT_EQ(sweeps[0].axis, "cfg_scale");
  EXPECT_EQ(sweeps[0].values, (std::vector<std::string>{"5", "8", "10"}));
  ASSERT_EQ(sweeps[0].series.size(), 2u);
  EXPECT_EQ(sweeps[0].series[1].name, "word");
  const double expected[] = {-0.05, -0.08, -0.10};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(sweeps[0].series[0].points[i].has_value());  // the baseline against itself
    EXPECT_NEAR(sweeps[0].series[1].points[i]->line.mean, expected[i], 0.02);
    EXPECT_NEAR(sweeps[0].series[0].means[i]->mean, 0.05 * std::stod(sweeps[0].values[i]), 0.02);
    EXPECT_EQ(sweeps[0].series[1].pictures[i], 8u);
  }
}

TEST(Breakdowns, AnAxisThatTheArmsLackHasAColumnOfNone) {
  RunPlan plan = made_plan(made_prompts(4, 1), {{"nothing"},
                                                {"word"},
                                                {"r/nothing", 0, "r", "nothing", {{"refiner", "x/y"}}},
                                                {"r/word", 0, "r", "word", {{"refiner", "x/y"}}}});
  const MadeRun run(plan, by_prompt);
  EXPECT_EQ(sweeps_of(Opened(run).compared, "damage")[0].values, (std::vector<std::string>{"none", "x/y"}));
}

TEST(Breakdowns, WhatGotWorseHasThePrimarysArmFirstAndCountsWhatWasLookedAt) {
  const MadeRun run(made_plan(made_prompts(8, 2), {{"nothing"}, {"other"}, {"article"}}), by_prompt);
  const WhatGotWorse worse = what_got_worse(Opened(run).compared, 2);
  EXPECT_EQ(worse.looked_at, 8u);
  ASSERT_EQ(worse.found.size(), 4u);
  EXPECT_EQ(worse.found[0].arm, 2);
  EXPECT_EQ(worse.found[0].metric, "right_object");
  EXPECT_EQ(worse.found[1].metric, "damage_blurry");
  EXPECT_EQ(worse.found[2].arm, 1);
}

TEST(ContactSheets, AreOneAListAndOneASweepAndPicturesThatAreMissingLeaveTheirPlace) {
  auto prompts = made_prompts(3, 1);
  for (auto& prompt : made_prompts(2, 1, "subject")) prompts.push_back(prompt);
  const RunPlan plan = made_plan(
      std::move(prompts),
      {{"nothing"}, {"word"}, {"cfg/word/8", 0, "cfg", "word", {{"cfg_scale", "8"}}}, {"hedgehog", 0, "", "", {}, "subject"}});
  const auto bytes = [](const PlannedCell&) { return encode_png(Image8::filled(16, 16, {200, 30, 30})); };
  const MadeRun run(
      plan, by_prompt, [](const PlannedCell& cell) { return cell.arm == 1 && cell.prompt == 1; }, bytes);
  const RunRecords records = run.records();
  std::map<std::string, Image8> sheets;
  draw_contact_sheets({run.store, run.plan(), records}, {}, [&](const ContactSheet& sheet) { sheets[sheet.stem] = sheet.image; });
  ASSERT_EQ(sheets.size(), 3u);
  const auto reds = [](const Image8& image) {
    size_t count = 0;
    for (size_t i = 0; i < image.rgb.size(); i += 3) count += image.rgb[i] == 200 && image.rgb[i + 1] == 30;
    return count;
  };
  EXPECT_EQ(reds(sheets.at("pictures-test")), 5u * 160 * 160);
  EXPECT_EQ(reds(sheets.at("sweep-cfg-test")), 3u * 160 * 160);
  EXPECT_EQ(reds(sheets.at("pictures-subject")), 2u * 160 * 160);
}

TEST(ContactSheets, OfMoreThanTheMostPixelsAreCutIntoNumberedOnesOfWholeRows) {
  const std::string one = encode_png(Image8::filled(16, 16, {200, 30, 30}));
  const MadeRun run(made_plan(made_prompts(9, 1), {{"nothing"}, {"word"}}), by_prompt, {},
                    [&](const PlannedCell&) { return one; });
  const RunRecords records = run.records();
  std::vector<std::string> stems;
  const int64_t most = most_pixels_of({3, 2, 16, 16});
  draw_contact_sheets({run.store, run.plan(), records, most}, {}, [&](const ContactSheet& sheet) {
    stems.push_back(sheet.stem);
    EXPECT_LE(static_cast<int64_t>(sheet.image.width) * sheet.image.height, most);
  });
  EXPECT_EQ(stems, (std::vector<std::string>{"pictures-test-1", "pictures-test-2", "pictures-test-3"}));
}

}  // namespace negativa
