#include "experiment/calibration.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/names.h"
#include "base/temporary_folder.h"

namespace negativa {
namespace {

Calibration five_damages(double fourth_auc) {
  return {"m", "hm", "j", "hj", {{"a", 0.9, 0.9}, {"b", 0.9, 0.8}, {"c", 0.5, 0.95}, {"d", 0.99, fourth_auc}, {"e", 0.99, 0.79}}};
}

TEST(Calibration, MeasuresHowOftenADamagedPictureStandsAboveAnother) {
  EXPECT_DOUBLE_EQ(area_under_curve(std::vector<double>{3, 1}, std::vector<double>{2, 0}), 0.75);
  EXPECT_DOUBLE_EQ(area_under_curve(std::vector<double>{1, 1}, std::vector<double>{1, 0}), 0.75);  // ties count half
  EXPECT_DOUBLE_EQ(area_under_curve(std::vector<double>{5}, std::vector<double>{1, 2, 3}), 1);
  error_of(ErrorKind::input, [] { area_under_curve({}, std::vector<double>{1}); });
}

TEST(Calibration, LeavesDamagesBelowTheBoundOutOfTheScoreUnlessFewerThanFourPass) {
  const std::vector<std::string> all{"a", "b", "c", "d", "e"};
  const auto four = damage_score_basis(all, five_damages(0.85));
  EXPECT_EQ(four.damages, (std::vector<std::string>{"a", "b", "c", "d"}));
  EXPECT_EQ(four.outside, std::vector<std::string>{"e"});
  EXPECT_TRUE(four.uncalibrated.empty());
  const auto three = damage_score_basis(all, five_damages(0.7));
  EXPECT_EQ(three.damages, all);
  EXPECT_TRUE(three.outside.empty());
  EXPECT_TRUE(contains(three.uncalibrated, "fewer than four"));
  EXPECT_TRUE(contains(damage_score_basis(all, {}).uncalibrated, "no calibration"));
}

TEST(Calibration, IsTakenForTheModelAndJudgeItWasMadeWithAlone) {
  TemporaryFolder folder;
  std::string why;
  EXPECT_FALSE(find_calibration(folder.path(), "hm", "hj", why));
  write_atomically(folder / names::judge_calibration, five_damages(0.9).to_text());
  const auto found = find_calibration(folder.path(), "hm", "hj", why);
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->damages.at(3).auc_drawn, 0.9);
  EXPECT_FALSE(find_calibration(folder.path(), "other", "hj", why));
  EXPECT_TRUE(contains(why, "another model"));
  EXPECT_FALSE(find_calibration(folder.path(), "hm", "other", why));
  EXPECT_TRUE(contains(why, "another judge"));
  write_atomically(
      folder / names::judge_calibration,
      R"({"model": "m", "model_sha256": "", "judge": "j", "judge_sha256": "", "damages": [{"damage": "a", "auc_reference": 2, "auc_drawn": 0}]})");
  EXPECT_TRUE(
      contains(error_of(ErrorKind::file_format, [&] { find_calibration(folder.path(), "", "", why); }), "area under the curve"));
}

}  // namespace
}  // namespace negativa
