#include "experiment/judging.h"

#include "base/temporary_folder.h"
#include "engine/test_engine.h"
#include "experiment/calibrate.h"

namespace negativa {
namespace {

std::filesystem::path model() { return test::source_folder() / "models/emoji-xl"; }

TEST(Judging, MeasuresWhatEachMetricSaysAndLooksItselfWhereNobodyHas) {
  const Judging judging(model() / "judge");
  const Image8 image = read_image(model() / "reference/001.png");
  const std::string caption = "panda next to automobile on a yellow background";
  const auto metrics = judging.metrics({"sharpness", "clip_score", "damage"}, "test");
  ASSERT_EQ(metrics.size(), 3u);
  EXPECT_EQ(metrics.front().name, "clip_score");  // the order of tables
  EXPECT_EQ(metrics.back().name, "sharpness");
  const UnitVector seen = judging.judge().see(image), none(seen.size(), 0.0f);
  const MeasuredPicture picture{image, caption, &seen, nullptr};
  const auto values = judging.measure({image, caption, nullptr, nullptr}, metrics);
  for (size_t m = 0; m < metrics.size(); ++m) EXPECT_EQ(values[m], metrics[m].value(picture, judging.room())) << metrics[m].name;
  EXPECT_NE(judging.measure({image, caption, &none, nullptr}, metrics).front(), values.front());  // it does not look again
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { judging.metrics({"damge"}, "x.toml line 3"); }),
                       "[x.toml line 3] got \"damge\", expected some of what the judge judge measures: clip_score, "));
}

TEST(Judging, CountsTheDamagesThatPassTheCalibrationBesideItForItsModelAlone) {
  Judging judging(model() / "judge");
  const size_t all = judging.world()->damages.size();
  EXPECT_EQ(judging.room().score_damages.size(), all);
  EXPECT_FALSE(judging.basis().uncalibrated.empty());
  const std::string bundled = bundled_model_input(test::places()).sha256, other(64, '0');
  EXPECT_EQ(judging.take_calibration({bundled}, {}), "");
  EXPECT_TRUE(judging.basis().uncalibrated.empty());
  EXPECT_LT(judging.room().score_damages.size(), all);
  EXPECT_EQ(judging.room().score_damages, judging.basis().damages);
  EXPECT_EQ(judging.take_calibration({bundled, other, bundled}, {}), "it is of another model");
  EXPECT_EQ(judging.room().score_damages.size(), all);
}

}  // namespace
}  // namespace negativa
