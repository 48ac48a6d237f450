#include "runs/comparison.h"

#include <algorithm>

namespace negativa {

int arm_named(const RunPlan& plan, std::string_view name) {
  const auto found = std::find_if(plan.arms.begin(), plan.arms.end(), [&](const PlannedArm& arm) { return arm.name == name; });
  return found == plan.arms.end() ? -1 : static_cast<int>(found - plan.arms.begin());
}

// Names may have the separator in them, so every place of it is tried.
std::optional<std::pair<int, int>> arms_of_comparison(const RunPlan& plan, std::string_view text) {
  constexpr std::string_view separator = " - ";
  for (size_t at = text.find(separator); at != std::string_view::npos; at = text.find(separator, at + 1)) {
    const int arm = arm_named(plan, text.substr(0, at)), baseline = arm_named(plan, text.substr(at + separator.size()));
    if (arm >= 0 && baseline >= 0) return std::pair{arm, baseline};
  }
  return {};
}

}  // namespace negativa
