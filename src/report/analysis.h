#pragma once
// What a run says, by the plan that was frozen before it: the primary comparison, the secondary ones in one Holm family, the
// guard, and every arm against the baseline. docs/experiments.md, "The report". Pure functions of plan and records: the same
// folder gives the same numbers.
#include "report/differences.h"
#include "stats/power.h"

namespace negativa {

enum class Says {
  better,
  worse,
  trades,  // better in the metric, and the guard is worse for certain
  higher,  // clear, of a metric without a better side
  lower,
  unclear,  // the test does not tell it from no difference
  nothing,  // not computable: nothing measured, one prompt, no spread
};
std::string says_word(Says says);  // "better", "not clear" …

// Where a p-value stands in the plan.
enum class Role { primary, secondary, exploratory };

struct Comparison {
  int arm = 0, baseline = 0;  // numbers of plan.arms
  std::string label;          // "article - nothing"
  Role role = Role::exploratory;
  MetricDifference metric, guard;
  std::optional<double> p_value;  // of the verdict's line; of secondary comparisons adjusted by Holm
  double least_p = 0.05;          // below it a difference is clear
  Says says = Says::nothing;
  std::string why;                   // one clause: what the guard loses, why nothing can be said …
  std::optional<Power> power;        // where the difference is not clear
  std::optional<Interval> together;  // secondary: the interval that holds together with the family's others
};

// The line that the verdict uses: "LoRAs made this way" where the plan names it and there are at least three trainings in the
// comparison, else "these LoRAs" (or sets). nullptr: nothing was compared. Of `difference`, which must outlive it.
inline constexpr size_t least_trainings = 3;
const Estimate* verdict_line(const MetricDifference& difference, const AnalysisPlan& analysis);

struct Analysis {
  int baseline = 0;                      // the arm that the arms' table is against
  std::optional<Comparison> primary;     // absent: the plan names none
  std::vector<Comparison> secondary;     // in the plan's order
  std::vector<std::string> not_in_plan;  // comparisons of [analysis] that name no arms of the run; one line each
  std::string verdict;                   // one sentence: what, by how much, how sure, of what it speaks
};
Analysis analyse(const RunPlan& plan, const RunRecords& records);

// One comparison as the analysis makes it, exploratory: its p unadjusted.
Comparison compared(const RunPlan& plan, const Differences& differences, int arm, int baseline);

// Below which p a line is a finding: one minus the level; a fifth of it where the line speaks of LoRAs made this way and has too
// few trainings to hold its level (docs/experiments.md, "Few trainings").
double least_p_of(const Estimate& line, double level);

// Of one line by itself, unadjusted and without a guard: better, worse, higher, lower, unclear or nothing.
Says says_alone(const Estimate& line, const std::string& metric, double level);

// What an arm is compared with: of a sweep the baseline at the same values; of a list of prompts that the run's baseline does
// not draw the first arm of that list; itself: it is one.
int baseline_of(const RunPlan& plan, int arm, int baseline);

// The table of arms, [arms] alone: sweeps are tables of their own.
struct ArmRow {
  int arm = 0;
  std::string name;
  size_t measured = 0, planned = 0;  // pictures
  std::optional<Estimate> mean;      // of the metric, over prompts
  std::optional<Estimate> guard_mean;
  std::optional<Comparison> against;  // the baseline; absent: it is one
};
struct TableOfArms {
  AnalysisPlan analysis;
  std::string metric_words, guard_words;  // "damage", "probability of the right object"
  std::string uncalibrated;               // as the plan's: why the damage score is over all words
  std::vector<ArmRow> rows;
  std::string verdict;
  std::vector<std::string> faults;  // as RunRecords'
};
TableOfArms table_of_arms(const RunPlan& plan, const RunRecords& records, const Analysis& analysis);
// The same from the folder. Throws as read_run does.
TableOfArms table_of_arms(const RunStore& store, const RunPlan& plan, const CancelToken& cancel = {});

}  // namespace negativa
