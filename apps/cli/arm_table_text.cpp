#include "arm_table_text.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "report/verdict.h"
#include "stats/words.h"

namespace negativa::cli {

namespace {

std::string mean_text(const std::optional<Estimate>& mean) { return mean ? number_text(mean->mean, 3) : "-"; }

// "-0.050 [-0.082, -0.020]"
std::string difference_text(const Estimate* line) {
  if (!line) return "-";
  if (!line->inference) return signed_text(line->mean, 3) + " [no interval]";
  const Interval& interval = line->inference->interval;
  return fmt::format("{} [{}, {}]", signed_text(line->mean, 3), signed_text(interval.low, 3), signed_text(interval.high, 3));
}

std::string says_text(const ArmRow& row) {
  if (!row.against) return "the baseline";
  const Comparison& against = *row.against;
  std::string text = says_word(against.says);
  if (against.p_value) text += fmt::format(", {}{}", p_text(*against.p_value), against.role == Role::secondary ? " (Holm)" : "");
  if (against.role == Role::exploratory && against.says != Says::nothing) text += ", exploratory";
  return against.says == Says::nothing ? text + ": " + against.why : text;
}

Json json_of(const MetricDifference& difference, const AnalysisPlan& analysis) {
  const Estimate* line = verdict_line(difference, analysis);
  if (!line) return {{"why_absent", difference.why_absent}};
  Json json = {{"difference", line->mean},  {"line", line->claim == Claim::loras_made_this_way ? "made_this_way" : "these"},
               {"prompts", line->prompts},  {"trainings", line->trainings},
               {"pairs", difference.pairs}, {"unmeasured", difference.unmeasured}};
  if (line->inference) {
    json["interval"] = {line->inference->interval.low, line->inference->interval.high};
    json["p_value"] = line->inference->p_value;
  } else {
    json["why_absent"] = line->why_absent;
  }
  return json;
}

const char* role_name(Role role) {
  return role == Role::primary ? "primary" : role == Role::secondary ? "secondary" : "exploratory";
}

Json json_of(const ArmRow& row, const AnalysisPlan& analysis) {
  Json json = {{"arm", row.name}, {"measured", row.measured}, {"planned", row.planned}};
  if (row.mean) json["mean"] = row.mean->mean;
  if (row.guard_mean) json["guard_mean"] = row.guard_mean->mean;
  if (!row.against) return json;
  json["against"] = {{"label", row.against->label},
                     {"role", role_name(row.against->role)},
                     {"says", says_word(row.against->says)},
                     {"why", row.against->why},
                     {"metric", json_of(row.against->metric, analysis)},
                     {"guard", json_of(row.against->guard, analysis)}};
  if (row.against->p_value) json["against"]["p_value"] = *row.against->p_value;
  return json;
}

}  // namespace

std::string text_of(const TableOfArms& table) {
  size_t name = 3, difference = 10, guard = 10;
  for (const auto& row : table.rows) {
    name = std::max(name, row.name.size());
    if (!row.against) continue;
    difference = std::max(difference, difference_text(verdict_line(row.against->metric, table.analysis)).size());
    guard = std::max(guard, difference_text(verdict_line(row.against->guard, table.analysis)).size());
  }
  std::string text = fmt::format("{}{}: difference to the baseline with its {} interval; {} is the guard\n", table.metric_words,
                                 table.uncalibrated.empty() ? "" : " (uncalibrated: " + table.uncalibrated + ")",
                                 percent_text(table.analysis.level), table.guard_words);
  text += fmt::format("{:<{}}  {:>9}  {:>6}  {:<{}}  {:<{}}  {}\n", "arm", name, "measured", "mean", "difference", difference,
                      "guard", guard, "says");
  for (const auto& row : table.rows) {
    const Comparison* against = row.against ? &*row.against : nullptr;
    text += fmt::format(
        "{:<{}}  {:>9}  {:>6}  {:<{}}  {:<{}}  {}\n", row.name, name,
        row.measured == row.planned ? std::to_string(row.measured) : fmt::format("{} of {}", row.measured, row.planned),
        mean_text(row.mean), against ? difference_text(verdict_line(against->metric, table.analysis)) : "", difference,
        against ? difference_text(verdict_line(against->guard, table.analysis)) : "", guard, says_text(row));
  }
  return text + table.verdict + "\n";
}

std::string json_of(const TableOfArms& table) {
  Json rows = Json::array();
  for (const auto& row : table.rows) rows.push_back(json_of(row, table.analysis));
  return Json({{"metric", table.analysis.metric},
               {"guard", table.analysis.guard},
               {"level", table.analysis.level},
               {"uncalibrated", table.uncalibrated},
               {"verdict", table.verdict},
               {"faults", table.faults},
               {"arms", rows}})
             .dump(2) +
         "\n";
}

}  // namespace negativa::cli
