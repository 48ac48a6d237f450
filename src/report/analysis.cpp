#include "report/analysis.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "report/verdict.h"
#include "runs/comparison.h"
#include "stats/families.h"
#include "stats/two_way.h"
#include "stats/words.h"

namespace negativa {

namespace {

int run_baseline(const RunPlan& plan) {
  if (const auto primary = arms_of_comparison(plan, plan.analysis.primary)) return primary->second;
  return std::max(0, arm_named(plan, "nothing"));
}

Power power_of(const ArmComparison& comparison, const Estimate& line, double alpha) {
  PowerOptions options;
  options.alpha = alpha;
  return line.claim == Claim::loras_made_this_way ? power_of_loras_made_this_way(comparison.table, options)
                                                  : power_over_prompts(comparison.table.per_prompt(), line.claim, options);
}

Says direction(double mean, BetterSide side) {
  if (side == BetterSide::neither) return mean > 0 ? Says::higher : Says::lower;
  return (mean > 0) == (side == BetterSide::higher) ? Says::better : Says::worse;
}

// Whether an interval lies wholly on the worse side of 0.
bool is_lost(const std::optional<Inference>& inference, BetterSide side) {
  if (!inference || side == BetterSide::neither) return false;
  return side == BetterSide::higher ? inference->interval.high < 0 : inference->interval.low > 0;
}

// The guard's line that is lost: one is enough, whichever the verdict uses.
const Estimate* lost_guard(const Comparison& comparison) {
  if (!comparison.guard.comparison) return nullptr;
  const BetterSide side = metric_facts(comparison.guard.metric).better;
  const auto& guard = *comparison.guard.comparison;
  if (guard.made_this_way && is_lost(guard.made_this_way->inference, side)) return &*guard.made_this_way;
  return is_lost(guard.these.inference, side) ? &guard.these : nullptr;
}

// From the p that stands, adjusted or not. `family`: tests that share the level.
void decide(Comparison& comparison, const AnalysisPlan& analysis, size_t family) {
  const Estimate* line = verdict_line(comparison.metric, analysis);
  if (!line || !line->inference || !comparison.p_value) {
    comparison.says = Says::nothing;
    comparison.why = line ? line->why_absent : comparison.metric.why_absent;
    return;
  }
  if (*comparison.p_value >= comparison.least_p) {
    comparison.says = Says::unclear;
    comparison.power = power_of(*comparison.metric.comparison, *line, comparison.least_p / static_cast<double>(family));
    if (*comparison.p_value < 1 - analysis.level)
      comparison.why =
          fmt::format("with {} a p above {:.2g} is no finding", count_text(line->trainings, "training"), comparison.least_p);
    return;
  }
  comparison.says = direction(line->mean, metric_facts(comparison.metric.metric).better);
  if (comparison.says != Says::better) return;
  if (const Estimate* lost = lost_guard(comparison)) {
    comparison.says = Says::trades;
    comparison.why = fmt::format("{}: {}", metric_facts(comparison.guard.metric).words, short_text(*lost));
  } else if (!comparison.guard.comparison && !analysis.guard.empty()) {
    comparison.why = "the guard says nothing: " + comparison.guard.why_absent;
  }
}

Comparison begun(const RunPlan& plan, const Differences& differences, int arm, int baseline) {
  Comparison comparison;
  comparison.arm = arm;
  comparison.baseline = baseline;
  comparison.label = plan.arms[static_cast<size_t>(arm)].name + " - " + plan.arms[static_cast<size_t>(baseline)].name;
  comparison.metric = differences.compare(arm, baseline, plan.analysis.metric);
  comparison.guard = differences.compare(arm, baseline, plan.analysis.guard);
  if (const Estimate* line = verdict_line(comparison.metric, plan.analysis)) {
    comparison.least_p = least_p_of(*line, plan.analysis.level);
    if (line->inference) comparison.p_value = line->inference->p_value;
  }
  return comparison;
}

// The family counts comparisons that could not be made too: they were planned.
void add_secondary(Analysis& result, const RunPlan& plan, const Differences& differences) {
  std::vector<std::optional<double>> p_values;
  std::vector<size_t> places;
  for (const auto& text : plan.analysis.secondary) {
    const auto arms = arms_of_comparison(plan, text);
    if (arms) {
      result.secondary.push_back(begun(plan, differences, arms->first, arms->second));
      result.secondary.back().role = Role::secondary;
      places.push_back(p_values.size());
    } else {
      result.not_in_plan.push_back(fmt::format("secondary \"{}\" names no two arms of the run", text));
    }
    p_values.push_back(arms ? result.secondary.back().p_value : std::nullopt);
  }
  const auto adjusted = holm(p_values);
  for (size_t i = 0; i < places.size(); ++i) {
    Comparison& comparison = result.secondary[i];
    comparison.p_value = adjusted[places[i]];
    decide(comparison, plan.analysis, p_values.size());
    const Estimate* line = verdict_line(comparison.metric, plan.analysis);
    if (line && line->inference)
      comparison.together = t_inference(line->mean, line->inference->standard_error, line->inference->degrees_of_freedom,
                                        simultaneous_level(plan.analysis.level, p_values.size()))
                                .interval;
  }
}

// As the plan has it, so that the table and the verdict never disagree.
Comparison from_plan_or_made(const RunPlan& plan, const Differences& differences, const Analysis& analysis,
                             const std::pair<int, int>& arms) {
  const auto is_it = [&](const Comparison& one) { return one.arm == arms.first && one.baseline == arms.second; };
  if (analysis.primary && is_it(*analysis.primary)) return *analysis.primary;
  const auto found = std::find_if(analysis.secondary.begin(), analysis.secondary.end(), is_it);
  return found != analysis.secondary.end() ? *found : compared(plan, differences, arms.first, arms.second);
}

}  // namespace

std::string says_word(Says says) {
  switch (says) {
    case Says::better:
      return "better";
    case Says::worse:
      return "worse";
    case Says::trades:
      return "trades";
    case Says::higher:
      return "higher";
    case Says::lower:
      return "lower";
    case Says::unclear:
      return "not clear";
    case Says::nothing:
      return "nothing to say";
  }
  return "";
}

double least_p_of(const Estimate& line, double level) {
  const double alpha = 1 - level;
  if (line.claim != Claim::loras_made_this_way || line.trainings < 2) return alpha;
  const TrainingsAdvice advice = advice_on_trainings(line.trainings, level);
  return advice.enough > 0 && advice.enough <= line.trainings ? alpha : alpha / 5;
}

Says says_alone(const Estimate& line, const std::string& metric, double level) {
  if (!line.inference) return Says::nothing;
  if (line.inference->p_value >= least_p_of(line, level)) return Says::unclear;
  return direction(line.mean, metric_facts(metric).better);
}

const Estimate* verdict_line(const MetricDifference& difference, const AnalysisPlan& analysis) {
  if (!difference.comparison) return nullptr;
  const auto& made = difference.comparison->made_this_way;
  if (analysis.claim == "made_this_way" && made && made->trainings >= least_trainings) return &*made;
  return &difference.comparison->these;
}

Comparison compared(const RunPlan& plan, const Differences& differences, int arm, int baseline) {
  Comparison comparison = begun(plan, differences, arm, baseline);
  decide(comparison, plan.analysis, 1);
  return comparison;
}

Analysis analyse(const RunPlan& plan, const RunRecords& records) {
  Analysis result;
  const Differences differences(plan, records);
  result.baseline = run_baseline(plan);
  if (const auto arms = arms_of_comparison(plan, plan.analysis.primary)) {
    result.primary = begun(plan, differences, arms->first, arms->second);
    result.primary->role = Role::primary;
    decide(*result.primary, plan.analysis, 1);
  } else if (!plan.analysis.primary.empty()) {
    result.not_in_plan.push_back(fmt::format("primary \"{}\" names no two arms of the run", plan.analysis.primary));
  }
  add_secondary(result, plan, differences);
  result.verdict = verdict_sentence(plan, result);
  return result;
}

int baseline_of(const RunPlan& plan, int arm, int baseline) {
  const PlannedArm& own = plan.arms[static_cast<size_t>(arm)];
  const PlannedArm& usual = plan.arms[static_cast<size_t>(baseline)];
  const auto first = [&](const auto& wanted) {
    const auto found = std::find_if(plan.arms.begin(), plan.arms.end(), wanted);
    return found == plan.arms.end() ? -1 : static_cast<int>(found - plan.arms.begin());
  };
  if (!own.sweep.empty()) {
    const int same = first([&](const PlannedArm& one) {
      return one.sweep == own.sweep && one.of_arm == usual.name && one.axes == own.axes && one.list == own.list;
    });
    if (same >= 0) return same;
  }
  if (own.list == usual.list) return baseline;
  const int of_list = first([&](const PlannedArm& one) { return one.sweep.empty() && one.list == own.list; });
  return of_list >= 0 ? of_list : arm;
}

TableOfArms table_of_arms(const RunPlan& plan, const RunRecords& records, const Analysis& analysis) {
  TableOfArms table;
  table.analysis = plan.analysis;
  table.metric_words = metric_facts(plan.analysis.metric).words;
  table.guard_words = metric_facts(plan.analysis.guard).words;
  table.uncalibrated = plan.uncalibrated;
  table.verdict = analysis.verdict;
  table.faults = records.faults;
  const Differences differences(plan, records);
  for (size_t i = 0; i < plan.arms.size(); ++i) {
    if (!plan.arms[i].sweep.empty()) continue;
    ArmRow row;
    row.arm = static_cast<int>(i);
    row.name = plan.arms[i].name;
    for (const auto& picture : records.pictures) {
      if (picture.arm != row.arm) continue;
      ++row.planned;
      row.measured += picture.is_measured;
    }
    row.mean = differences.mean(row.arm, plan.analysis.metric);
    row.guard_mean = differences.mean(row.arm, plan.analysis.guard);
    const int baseline = baseline_of(plan, row.arm, analysis.baseline);
    if (baseline != row.arm) row.against = from_plan_or_made(plan, differences, analysis, {row.arm, baseline});
    table.rows.push_back(std::move(row));
  }
  return table;
}

TableOfArms table_of_arms(const RunStore& store, const RunPlan& plan, const CancelToken& cancel) {
  const RunRecords records = read_run(store, plan, cancel);
  return table_of_arms(plan, records, analyse(plan, records));
}

}  // namespace negativa
