#include "train/data_order.h"

#include <map>
#include <set>

#include "base/temporary_folder.h"

namespace negativa {
namespace {

DataOrder order_of(int64_t examples, int64_t rows_per_step) {
  DataOrder order;
  order.seed = 7;
  order.examples = examples;
  order.rows_per_step = rows_per_step;
  return order;
}

std::vector<RowChoice> rows_of_steps(const DataOrder& order, int64_t first, int64_t last) {
  std::vector<RowChoice> rows;
  for (int64_t step = first; step <= last; ++step)
    for (const auto& row : rows_of_step(order, step)) rows.push_back(row);
  return rows;
}

}  // namespace

// docs/formats.md, "Training set", followed in Python: two epochs of six pictures.
TEST(DataOrder, IsThatOfItsDefinition) {
  DataOrder order{7, "instance", 6, 12, true};
  EXPECT_EQ(rows_of_step(order, 1), (std::vector<RowChoice>{{0, true},
                                                            {1, true},
                                                            {2, false},
                                                            {4, true},
                                                            {3, false},
                                                            {5, true},
                                                            {2, false},
                                                            {5, false},
                                                            {0, true},
                                                            {1, true},
                                                            {3, true},
                                                            {4, false}}));
  order.stream = "class";
  EXPECT_EQ(rows_of_step(order, 1), (std::vector<RowChoice>{{5, true},
                                                            {4, true},
                                                            {0, true},
                                                            {3, false},
                                                            {1, false},
                                                            {2, true},
                                                            {4, true},
                                                            {5, true},
                                                            {0, false},
                                                            {3, true},
                                                            {1, false},
                                                            {2, true}}));
}

TEST(DataOrder, EveryEpochTakesEachPictureOnceInAnOrderOfItsOwn) {
  const auto order = order_of(20, 4);
  std::set<std::vector<int64_t>> orders;
  for (int64_t epoch = 0; epoch < 8; ++epoch) {
    std::vector<int64_t> taken;
    for (const auto& row : rows_of_steps(order, epoch * 5 + 1, epoch * 5 + 5)) taken.push_back(row.example);
    EXPECT_EQ(std::set<int64_t>(taken.begin(), taken.end()).size(), 20u);
    orders.insert(taken);
  }
  EXPECT_EQ(orders.size(), 8u);
}

TEST(DataOrder, AStepIsTheSameWhereverTheRunBegan) {
  const auto order = order_of(7, 4);
  const auto all = rows_of_steps(order, 1, 30);
  for (int64_t step = 30; step >= 1; --step) {
    const auto rows = rows_of_step(order, step);
    EXPECT_TRUE(std::equal(rows.begin(), rows.end(), all.begin() + (step - 1) * 4)) << step;
  }
}

TEST(DataOrder, TheSameRowsComeInTheSameOrderWhateverTheBatch) {
  EXPECT_EQ(rows_of_steps(order_of(7, 1), 1, 24), rows_of_steps(order_of(7, 24), 1, 1));  // one step over more than three epochs
}

TEST(DataOrder, SeedAndStreamChangeIt) {
  const auto order = order_of(30, 30);
  auto other_seed = order, other_stream = order;
  other_seed.seed = 8;
  other_stream.stream = "class";
  EXPECT_NE(rows_of_step(order, 1), rows_of_step(other_seed, 1));
  EXPECT_NE(rows_of_step(order, 1), rows_of_step(other_stream, 1));
}

TEST(DataOrder, PermutationsAreUniform) {  // 24 orders of 4 pictures, 400 expected of each; 5 standard deviations are 98
  std::map<std::vector<int64_t>, int> counts;
  const auto order = order_of(4, 4);
  for (int64_t step = 1; step <= 9600; ++step) {
    std::vector<int64_t> examples;
    for (const auto& row : rows_of_step(order, step)) examples.push_back(row.example);
    ++counts[examples];
  }
  ASSERT_EQ(counts.size(), 24u);
  for (const auto& [examples, count] : counts) EXPECT_NEAR(count, 400, 98);
}

TEST(DataOrder, FlipMirrorsHalfOfTheRowsAndChangesNothingElse) {
  const auto plain = order_of(10, 2000);
  auto flipped = plain;
  flipped.flip = true;
  const auto a = rows_of_step(plain, 1), b = rows_of_step(flipped, 1);
  int mirrored = 0, both = 0;
  std::map<int64_t, std::set<bool>> seen;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_FALSE(a[i].mirrored);
    EXPECT_EQ(a[i].example, b[i].example);
    mirrored += b[i].mirrored;
    seen[b[i].example].insert(b[i].mirrored);
  }
  for (const auto& [example, sides] : seen) both += sides.size() == 2;
  EXPECT_NEAR(mirrored, 1000, 112);  // 5 standard deviations
  EXPECT_EQ(both, 10);               // not frozen once a picture
}

TEST(DataOrder, TellsTheEpochOfAStep) {
  const auto order = order_of(5, 2);
  EXPECT_EQ(epoch_of_step(order, 1), 0);
  EXPECT_EQ(epoch_of_step(order, 2), 0);
  EXPECT_EQ(epoch_of_step(order, 3), 1);  // rows 4 and 5
}

TEST(DataOrder, RefusesCountsBelowOne) {
  error_of(ErrorKind::input, [] { rows_of_step(order_of(0, 1), 1); });
  error_of(ErrorKind::input, [] { rows_of_step(order_of(1, 0), 1); });
  error_of(ErrorKind::input, [] { rows_of_step(order_of(1, 1), 0); });
}

}  // namespace negativa
