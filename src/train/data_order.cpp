#include "train/data_order.h"

#include <algorithm>
#include <numeric>

#include "base/derived_seed.h"
#include "base/error.h"
#include "base/split_mix.h"

namespace negativa {

namespace {

// Fisher and Yates's shuffle; std::shuffle differs between libraries.
std::vector<int64_t> permutation(const DataOrder& order, int64_t epoch) {
  std::vector<int64_t> items(static_cast<size_t>(order.examples));
  std::iota(items.begin(), items.end(), 0);
  SplitMix random(derived_seed(order.seed, order.stream + " order", static_cast<uint64_t>(epoch)));
  for (size_t left = items.size(); left > 1; --left) std::swap(items[left - 1], items[random.below(left)]);
  return items;
}

void check_order(const DataOrder& order, int64_t step) {
  check(order.examples > 0 && order.rows_per_step > 0 && step > 0, ErrorKind::input,
        "[data order] got {} pictures, {} rows a step, step {}; expected at least 1 of each", order.examples, order.rows_per_step,
        step);
}

}  // namespace

std::vector<RowChoice> rows_of_step(const DataOrder& order, int64_t step) {
  check_order(order, step);
  const int64_t first = (step - 1) * order.rows_per_step;
  std::vector<RowChoice> rows;
  std::vector<int64_t> items;
  for (int64_t row = first; row < first + order.rows_per_step; ++row) {
    if (items.empty() || row % order.examples == 0) items = permutation(order, row / order.examples);
    const bool mirrored = order.flip && derived_seed(order.seed, order.stream + " flip", static_cast<uint64_t>(row)) & 1;
    rows.push_back({items[static_cast<size_t>(row % order.examples)], mirrored});
  }
  return rows;
}

int64_t epoch_of_step(const DataOrder& order, int64_t step) {
  check_order(order, step);
  return (step * order.rows_per_step - 1) / order.examples;
}

}  // namespace negativa
