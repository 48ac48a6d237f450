#include "stats/families.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "stats/words.h"

namespace negativa {

std::vector<std::optional<double>> holm(std::span<const std::optional<double>> p_values) {
  for (const auto& p : p_values)
    check(!p || (*p >= 0 && *p <= 1), ErrorKind::input, "[statistics] got a p of {}, expected 0 to 1", p.value_or(0));
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return p_values[a].value_or(2) < p_values[b].value_or(2); });
  std::vector<std::optional<double>> adjusted(p_values.size());
  double largest = 0;
  for (size_t i = 0; i < order.size() && p_values[order[i]]; ++i) {
    largest = std::max(largest, std::min(1.0, *p_values[order[i]] * static_cast<double>(order.size() - i)));
    adjusted[order[i]] = largest;
  }
  return adjusted;
}

double simultaneous_level(double level, size_t comparisons) {
  check_between_0_and_1(level, "level");
  check(comparisons > 0, ErrorKind::input, "[statistics] got no comparison, expected at least 1");
  return 1 - (1 - level) / static_cast<double>(comparisons);
}

}  // namespace negativa
