#include "report/verdict.h"

#include <cmath>

#include "base/error.h"
#include "stats/two_way.h"
#include "stats/words.h"

namespace negativa {

namespace {

std::string size_text(const Estimate& line) {
  const Interval& interval = line.inference->interval;
  return number_text(std::abs(line.mean), decimals_for((interval.high - interval.low) / 2));
}

std::string how_sure(const Estimate& line) {
  const Interval& interval = line.inference->interval;
  const int decimals = decimals_for((interval.high - interval.low) / 2);
  return fmt::format("{} interval from {} to {}, {}", percent_text(interval.level), signed_text(interval.low, decimals),
                     signed_text(interval.high, decimals), p_text(line.inference->p_value));
}

std::string basis_of(const Estimate& line) {
  const std::string prompts = "on prompts like these " + std::to_string(line.prompts);
  const bool is_made = line.claim == Claim::loras_made_this_way && line.trainings >= 2 && line.inference;
  return fmt::format("for {}, {}{}", subject_of(line), prompts,
                     is_made ? caution(advice_on_trainings(line.trainings, line.inference->interval.level)) : "");
}

std::string metric_text(const RunPlan& plan) {
  const std::string words = metric_facts(plan.analysis.metric).words;
  return plan.analysis.metric == "damage" && !plan.uncalibrated.empty() ? words + " (uncalibrated)" : words;
}

// What is not in it.
std::string rest_of(const Comparison& comparison) {
  std::string text;
  if (comparison.metric.unmeasured > 0)
    text = fmt::format(" The run is not whole: {} of {} are in it.", count_text(comparison.metric.pairs, "pair"),
                       comparison.metric.pairs + comparison.metric.unmeasured);
  return text;
}

std::string unclear_text(const Comparison& comparison, const Estimate& line, const std::string& metric) {
  std::string text = fmt::format("Not clear: {} is {} in {} ({}; {}).", comparison.label, short_text(line), metric,
                                 p_text(line.inference->p_value), basis_of(line));
  if (!comparison.why.empty()) text += " " + comparison.why + ".";
  if (comparison.power) text += " " + sentence(*comparison.power) + ".";
  return text;
}

}  // namespace

std::string short_text(const Estimate& estimate) {
  const auto show = [&](double value, int decimals) {
    return estimate.difference ? signed_text(value, decimals) : number_text(value, decimals);
  };
  if (!estimate.inference)
    return fmt::format("{}, no interval: {}", show(estimate.mean, decimals_for(std::abs(estimate.mean) / 10)),
                       estimate.why_absent);
  const Interval& interval = estimate.inference->interval;
  const int decimals = decimals_for((interval.high - interval.low) / 2);
  return fmt::format("{}, {} from {} to {}", show(estimate.mean, decimals), percent_text(interval.level),
                     show(interval.low, decimals), show(interval.high, decimals));
}

std::string subject_of(const Estimate& estimate) {
  if (estimate.claim == Claim::loras_made_this_way) return "LoRAs made this way";
  if (estimate.claim == Claim::these_sets) return "pictures drawn so";
  return estimate.trainings > 1 ? fmt::format("these {} LoRAs", estimate.trainings) : "this LoRA";
}

std::string verdict_sentence(const RunPlan& plan, const Analysis& analysis) {
  if (!analysis.primary) return "No verdict: the plan names no primary comparison of arms that the run has.";
  const Comparison& primary = *analysis.primary;
  const Estimate* line = verdict_line(primary.metric, plan.analysis);
  if (primary.says == Says::nothing || !line)
    return fmt::format("No verdict yet on {}: {}.", primary.label, primary.why) + rest_of(primary);
  const std::string metric = metric_text(plan);
  if (primary.says == Says::unclear) return unclear_text(primary, *line, metric) + rest_of(primary);
  const std::string& arm = plan.arms[static_cast<size_t>(primary.arm)].name;
  const std::string& baseline = plan.arms[static_cast<size_t>(primary.baseline)].name;
  const char* begin = primary.says == Says::better   ? "Better: "
                      : primary.says == Says::worse  ? "Worse: "
                      : primary.says == Says::trades ? "A trade, not better: "
                                                     : "A difference: ";
  std::string text = fmt::format("{}{} has {} {} {} than {} ({}), {}.", begin, arm, size_text(*line),
                                 line->mean < 0 ? "less" : "more", metric, baseline, how_sure(*line), basis_of(*line));
  if (primary.says == Says::trades)
    text += " It costs " + primary.why + ".";
  else if (!primary.why.empty())
    text += " " + primary.why + ".";
  return text + rest_of(primary);
}

}  // namespace negativa
