#pragma once
// A planned comparison by its text, "article - nothing".
#include <optional>
#include <string_view>
#include <utility>

#include "runs/run_plan.h"

namespace negativa {

// Numbers of arm and baseline; absent: no two arms of the plan are named so.
std::optional<std::pair<int, int>> arms_of_comparison(const RunPlan& plan, std::string_view text);
// -1: there is none of that name.
int arm_named(const RunPlan& plan, std::string_view name);

}  // namespace negativa
