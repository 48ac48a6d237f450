#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "experiment/metrics/metric.h"

namespace negativa {
namespace {

constexpr Colour teal = {67, 166, 166}, red = {213, 67, 63}, grey = {128, 128, 128};

void fill(Image8& image, int left, int top, int size, Colour colour) {
  for (int y = top; y < top + size; ++y)
    for (int x = left; x < left + size; ++x) std::copy(colour.begin(), colour.end(), image.pixel(x, y));
}

World world() { return *find_world(std::filesystem::path(NEGATIVA_SOURCE_DIR) / "models/emoji-xl/judge"); }

struct Measured {
  World known = world();
  MetricRoom room{nullptr, &known, known.damages};
  std::optional<double> of(const Metric& metric, const Image8& image, const std::string& caption = "",
                           const Image8* baseline = nullptr) const {
    return metric.value({image, caption, nullptr, baseline}, room);
  }
};

TEST(Metrics, SeeTheBackgroundsColourAndHowManyObjectsStandBeforeIt) {
  const Measured measured;
  Image8 image = Image8::filled(64, 64, teal);
  fill(image, 10, 20, 16, red);
  EXPECT_EQ(measured.of(background_right(), image, "fox on a teal background"), 1.0);
  EXPECT_LT(*measured.of(background_distance(), image, "fox on a teal background"), 0.01);
  EXPECT_EQ(measured.of(background_right(), image, "fox on a red background"), 0.0);
  EXPECT_GT(*measured.of(background_distance(), image, "fox on a red background"), 40);
  EXPECT_FALSE(measured.of(background_right(), image, "fox").has_value());
  EXPECT_EQ(measured.of(object_count_right(), image, "fox on a teal background"), 1.0);
  EXPECT_EQ(measured.of(object_count_right(), image, "fox next to owl"), 0.0);
  fill(image, 40, 20, 16, red);
  fill(image, 2, 50, 3, red);  // a speck is no object
  EXPECT_EQ(measured.of(object_count_right(), image, "fox next to owl"), 1.0);
  EXPECT_FALSE(measured.of(object_count_right(), image, "a street").has_value());
}

TEST(Metrics, MeasureBlocksSharpnessAndExtremesFromPixelsAlone) {
  const Measured measured;
  const Image8 flat = Image8::filled(32, 32, grey);
  Image8 blocks = flat, shifted = flat, shrill = flat;
  for (int y = 0; y < 32; y += 8)
    for (int x = 0; x < 32; x += 8) {
      if ((x + y) / 8 % 2) fill(blocks, x, y, 8, {148, 148, 148});
      if ((x + y) / 8 % 2 && x < 24 && y < 24) fill(shifted, x + 4, y + 4, 8, {148, 148, 148});
    }
  EXPECT_EQ(measured.of(blockiness(), flat), 0.0);
  EXPECT_NEAR(*measured.of(blockiness(), blocks), 20, 1e-4);
  EXPECT_LT(*measured.of(blockiness(), shifted), 0);
  EXPECT_EQ(measured.of(sharpness(), flat), 0.0);
  EXPECT_GT(*measured.of(sharpness(), blocks), 5);
  EXPECT_FALSE(measured.of(sharpness(), Image8::filled(2, 40, grey)).has_value());
  fill(shrill, 0, 0, 16, {255, 10, 10});
  EXPECT_EQ(measured.of(clipped(), shrill), 0.25);
  EXPECT_EQ(measured.of(saturated(), shrill), 0.25);
  EXPECT_EQ(measured.of(saturated(), Image8::filled(4, 4, {40, 0, 0})), 0.0);  // too dark to be seen as a colour
  EXPECT_EQ(measured.of(clipped(), flat), 0.0);
}

TEST(Metrics, CompareWithTheBaselinesPictureWhereThereIsOne) {
  const Measured measured;
  const Image8 first = Image8::filled(8, 8, {10, 10, 10}), second = Image8::filled(8, 8, {10, 13, 4}),
               larger = Image8::filled(9, 8, grey);
  EXPECT_EQ(measured.of(difference_to_baseline(), second, "", &first), 3.0);
  EXPECT_EQ(measured.of(difference_to_baseline(), first, "", &first), 0.0);
  EXPECT_FALSE(measured.of(difference_to_baseline(), first).has_value());
  EXPECT_FALSE(measured.of(difference_to_baseline(), first, "", &larger).has_value());
}

// One judge for all that asks it: a reference picture, and the same picture with a damage.
TEST(Metrics, AskTheJudgeForObjectDamageAndScore) {
  const std::filesystem::path model = std::filesystem::path(NEGATIVA_SOURCE_DIR) / "models/emoji-xl";
  const Judge judge = Judge::load(model / "judge");
  TextMemory texts(judge);
  Measured measured;
  measured.room.texts = &texts;
  const Image8 clean = read_image(model / "reference/001.png");  // panda next to automobile on a yellow background
  const UnitVector seen = judge.see(clean);
  const std::string caption = "panda next to automobile on a yellow background";
  const MeasuredPicture right{clean, caption, &seen, nullptr};
  EXPECT_DOUBLE_EQ(*clip_score().value(right, measured.room), 100 * cosine(seen, judge.read(caption).vector));
  EXPECT_GT(*right_object().value(right, measured.room), 0.5);
  EXPECT_EQ(right_object_top1().value(right, measured.room), 1.0);
  const std::string wrong_caption = "owl on a yellow background";
  const MeasuredPicture wrong{clean, wrong_caption, &seen, nullptr};
  EXPECT_LT(*right_object().value(wrong, measured.room), 0.1);
  EXPECT_EQ(right_object_top1().value(wrong, measured.room), 0.0);
  double sum = 1 - *damage_score().value(right, measured.room);  // of the plain caption and of each damage: all there is
  for (const auto& damage : measured.known.damages) sum += *damage_probability(damage).value(right, measured.room);
  EXPECT_NEAR(sum, 1, 1e-9);
  EXPECT_EQ(damage_metric_name("missing or extra fingers"), "damage_missing_or_extra_fingers");
  const std::string damaged_caption = caption + ", blurry";  // the words of the caption are not what is asked about
  EXPECT_EQ(*damage_score().value({clean, damaged_caption, &seen, nullptr}, measured.room),
            *damage_score().value(right, measured.room));
}

TEST(Metrics, HaveNamesOfTheirOwnAndAskForNoWorldWhereThereIsNone) {
  const World known = world();
  std::vector<std::string> names;
  for (const auto& metric : all_metrics(&known)) names.push_back(metric.name);
  EXPECT_EQ(names.size(), 25u);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  for (const auto& metric : all_metrics(nullptr)) EXPECT_FALSE(metric.needs.world) << metric.name;
}

}  // namespace
}  // namespace negativa
