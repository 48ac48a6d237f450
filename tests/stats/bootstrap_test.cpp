#include "stats/bootstrap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <numeric>

#include "base/error.h"

namespace negativa {

namespace {

std::string refusal(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "not refused";
}

const std::vector<size_t> counts{3, 1, 2, 2, 1, 4};

// Share of pairs of different pictures among all pairs of places.
std::optional<double> pairs_of_different(std::span<const size_t> pictures) {
  size_t pairs = 0, different = 0;
  for (size_t i = 0; i < pictures.size(); ++i)
    for (size_t j = 0; j < i; ++j) ++pairs, different += pictures[i] != pictures[j];
  if (different == 0) return std::nullopt;
  return static_cast<double>(different) / static_cast<double>(pairs);
}

}  // namespace

TEST(Bootstrap, DrawsPromptsWholeAndThenTheirOwnPictures) {
  const std::vector<size_t> prompt_of{0, 0, 0, 1, 2, 2, 3, 3, 4, 5, 5, 5, 5};
  std::map<size_t, int> times;
  for (uint64_t number = 0; number < 3000; ++number) {
    const auto drawn = resample(counts, 1, number);
    for (size_t i = 0; i < drawn.size();) {
      ASSERT_LT(drawn[i], 13u);
      const size_t prompt = prompt_of[drawn[i]];
      ++times[prompt];
      for (const size_t end = i + counts[prompt]; i < end; ++i) ASSERT_EQ(prompt_of[drawn.at(i)], prompt);
    }
  }
  for (const auto& [prompt, drawn] : times) EXPECT_NEAR(drawn, 3000, 4 * 55) << prompt;  // 18,000 draws of 6; SD 50
}

TEST(Bootstrap, GivesTheSameForTheSameSeedAndAnotherForAnother) {
  const auto first_number = [](std::span<const size_t> pictures) -> std::optional<double> {
    return static_cast<double>(pictures[0]) + static_cast<double>(pictures[1]) / 16;
  };
  const auto one = bootstrap(counts, first_number, {1, 200, 0.9}), again = bootstrap(counts, first_number, {1, 200, 0.9});
  EXPECT_EQ(one.interval->low, again.interval->low);
  EXPECT_EQ(one.interval->high, again.interval->high);
  EXPECT_NE(resample(counts, 1, 0), resample(counts, 2, 0));
  EXPECT_NE(resample(counts, 1, 0), resample(counts, 1, 1));
  EXPECT_NE(resample(counts, 1, 1), resample(counts, 2, 0));
}

TEST(Bootstrap, ShowsAPicturesCopiesByTheirNumber) {
  const auto result = bootstrap(std::vector<size_t>(12, 1), pairs_of_different, {3, 200, 0.95});
  EXPECT_EQ(result.value, 1);            // all pictures: no copies
  EXPECT_LT(result.interval->high, 1);   // resamples have some
  EXPECT_GT(result.interval->low, 0.7);  // on average 1/12 of the pairs
}

TEST(Bootstrap, LeavesOutAFewResamplesWithoutAValueAndGivesUpOnMany) {
  // Four prompts of one picture: 4 of 4^4 resamples hold one picture only, 1.6 %; five prompts: 0.16 %.
  const auto four = bootstrap(std::vector<size_t>(4, 1), pairs_of_different, {0, 2000, 0.95}),
             five = bootstrap(std::vector<size_t>(5, 1), pairs_of_different, {0, 2000, 0.95});
  EXPECT_GT(four.left_out, 20u);
  EXPECT_EQ(four.interval, std::nullopt);
  EXPECT_THAT(sentence(four), testing::HasSubstr("no interval: not computable from"));
  EXPECT_GT(five.left_out, 0u);
  EXPECT_TRUE(five.interval.has_value());
}

TEST(Bootstrap, HasNoIntervalWithoutSpread) {
  const auto constant = [](std::span<const size_t>) -> std::optional<double> { return 0.3; };
  EXPECT_THAT(sentence(bootstrap(counts, constant)), testing::HasSubstr("0.300; no interval: all resamples have the same value"));
  EXPECT_THAT(bootstrap(std::vector<size_t>{5}, constant).why_absent, testing::HasSubstr("one prompt"));
}

TEST(Bootstrap, RefusesWhatCannotBeResampled) {
  const auto count = [](std::span<const size_t> pictures) -> std::optional<double> {
    return static_cast<double>(pictures.size());
  };
  EXPECT_THAT(refusal([&] { bootstrap({}, count); }), testing::HasSubstr("no prompt"));
  EXPECT_THAT(refusal([&] {
                bootstrap(std::vector<size_t>{1, 0, 2}, count);
              }),
              testing::HasSubstr("prompt 2 of 3 has no picture"));
  EXPECT_THAT(refusal([&] { bootstrap(counts, count, {0, 50, 0.95}); }), testing::HasSubstr("50 resamples"));
  EXPECT_THAT(refusal([&] { bootstrap(counts, count, {0, 2000, 1.5}); }), testing::HasSubstr("level"));
  EXPECT_THAT(refusal([&] { bootstrap(counts, [](auto) -> std::optional<double> { return {}; }); }),
              testing::HasSubstr("no value for all 13 pictures"));
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    int calls = 0;
    const Statistic spoiled = [&](auto) -> std::optional<double> { return ++calls < 5 ? 1.0 * calls : bad; };
    EXPECT_THAT(refusal([&] { bootstrap(counts, spoiled); }), testing::HasSubstr("expected a finite number"));
  }
}

}  // namespace negativa
