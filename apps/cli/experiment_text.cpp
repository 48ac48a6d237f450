#include "experiment_text.h"

#include <cmath>

#include "arm_table_text.h"
#include "base/json.h"
#include "jobs/forecast.h"
#include "people_text.h"

namespace negativa::cli {

namespace {

std::string size_text(int64_t bytes) {
  return bytes < (int64_t{1} << 30) ? fmt::format("{:.0f} MiB", std::ceil(static_cast<double>(bytes) / double(1 << 20)))
                                    : fmt::format("{:.1f} GiB", gibibytes(bytes));
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::lround(seconds));
  if (whole < 120) return fmt::format("{} s", whole);
  if (whole < 7200) return fmt::format("{} min", (whole + 30) / 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string text_of(const ExperimentForecast& forecast) {
  std::string text = fmt::format("{:<14} {:>8} {:>8} {:>12} {:>10}\n", "stage", "cells", "there", "time", "disk");
  for (const auto& stage : forecast.stages)
    text += fmt::format("{:<14} {:>8} {:>8} {:>12} {:>10}\n", stage_name(stage.stage), stage.cells, stage.there,
                        duration_text(stage.seconds), size_text(stage.bytes));
  text += "\n";
  for (const auto& arm : forecast.arms)
    text += fmt::format("{:<40} {:>8} pictures {:>12}\n", arm.arm, arm.pictures, duration_text(arm.seconds));
  text += fmt::format("\nabout {} on this machine alone, {} of disk, peak memory {:.2f} GiB of {:.2f} available\n",
                      duration_text(forecast.seconds), size_text(forecast.bytes), gibibytes(forecast.peak_bytes),
                      gibibytes(forecast.available_bytes));
  for (const auto& [arm, pictures] : forecast.left_out) text += fmt::format("left out: {} pictures of {}\n", pictures, arm);
  return text;
}

std::string json_of(const ExperimentForecast& forecast) {
  Json stages = Json::array(), arms = Json::array(), left_out = Json::object();
  for (const auto& stage : forecast.stages)
    stages.push_back({{"stage", stage_name(stage.stage)},
                      {"cells", stage.cells},
                      {"there", stage.there},
                      {"seconds", stage.seconds},
                      {"bytes", stage.bytes}});
  for (const auto& arm : forecast.arms) arms.push_back({{"arm", arm.arm}, {"pictures", arm.pictures}, {"seconds", arm.seconds}});
  for (const auto& [arm, pictures] : forecast.left_out) left_out[arm] = pictures;
  return Json({{"experiment", forecast.name},
               {"stages", stages},
               {"arms", arms},
               {"seconds", forecast.seconds},
               {"bytes", forecast.bytes},
               {"peak_bytes", forecast.peak_bytes},
               {"available_bytes", forecast.available_bytes},
               {"left_out", left_out}})
             .dump(2) +
         "\n";
}

namespace {

std::string text_of(const ExperimentResult& result) {
  size_t made = 0, there = 0, left = 0;
  std::string parts;
  for (const auto& stage : result.stages) {
    made += stage.made, there += stage.there, left += stage.left;
    if (stage.made > 0) parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", stage.made, stage_name(stage.stage));
  }
  if (made == 0 && left == 0) return fmt::format("nothing to do: all {} cells are there\n", there);
  return fmt::format("made {} cells in {}{}; {} were there{}\n", made, duration_text(result.seconds),
                     parts.empty() ? "" : " (" + parts + ")", there,
                     left > 0 ? fmt::format("; {} are left to other shards, or wait for them", left) : "");
}

}  // namespace

std::string text_of(const ExperimentRunReport& report) {
  std::string text = text_of(report.run);
  if (report.report) text += text_of(report.report->table) + line_of(report.report->people);
  if (!report.page.empty()) text += report.page.string() + "\n";
  return text;
}

namespace {

void add_people(Json& json, const PeopleVerdict& people) {
  if (!people.is_empty()) json["people"] = parse_json(json_of(people), "what people said");
}

}  // namespace

std::string json_of(const ExperimentRunReport& report) {
  const ExperimentResult& result = report.run;
  Json stages = Json::array();
  for (const auto& stage : result.stages)
    stages.push_back({{"stage", stage_name(stage.stage)}, {"made", stage.made}, {"there", stage.there}, {"left", stage.left}});
  Json json = {{"experiment", result.plan.name}, {"run", result.plan.hash()},     {"stages", stages},
               {"whole", result.is_whole},       {"test_runs", result.test_runs}, {"seconds", result.seconds}};
  if (!report.page.empty()) json["page"] = report.page.string();
  if (report.report) json["table"] = parse_json(json_of(report.report->table), "table of arms");
  if (report.report) add_people(json, report.report->people);
  return json.dump(2) + "\n";
}

std::string json_of(const ExperimentReport& report) {
  Json json = parse_json(json_of(report.table), "table of arms");
  Json written = Json::array();
  for (const auto& file : report.written) written.push_back(file.string());
  json["written"] = written;
  json["pictures"] = report.pictures;
  add_people(json, report.people);
  return json.dump(2) + "\n";
}

namespace {

std::string words_of(const TuneCandidate& candidate) {
  std::string text;
  const auto add = [&](const char* name, const auto& value) {
    if (value) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, *value);
  };
  add("weight", candidate.weight);
  add("steps", candidate.steps);
  add("cfg_scale", candidate.cfg_scale);
  add("negative_scale", candidate.negative_scale);
  return text;
}

Json json_of_candidate(const CandidateResult& one) {
  Json json = {{"arm", one.arm},
               {"damage", one.damage},
               {"damage_difference", one.damage_difference},
               {"right_object_difference", one.right_object_difference},
               {"allowed", one.is_allowed}};
  if (one.candidate.weight) json["weight"] = *one.candidate.weight;
  if (one.candidate.steps) json["steps"] = *one.candidate.steps;
  if (one.candidate.cfg_scale) json["cfg_scale"] = *one.candidate.cfg_scale;
  if (one.candidate.negative_scale) json["negative_scale"] = *one.candidate.negative_scale;
  return json;
}

}  // namespace

std::string text_of(const TuneResult& result) {
  std::string text = fmt::format("{:<44} {:>8} {:>12} {:>14}\n", "candidate", "damage", "to baseline", "right object");
  for (size_t i = 0; i < result.candidates.size(); ++i) {
    const CandidateResult& one = result.candidates[i];
    text += fmt::format("{:<44} {:>8.3f} {:>+12.3f} {:>+14.3f}{}\n", words_of(one.candidate), one.damage, one.damage_difference,
                        one.right_object_difference,
                        result.chosen == i ? "  chosen"
                        : one.is_allowed   ? ""
                                           : "  loses the object too often");
  }
  if (!result.chosen) return text + "no candidate keeps the right object; the TOML stays as it is\n";
  for (const auto& key : result.changed_keys) text += fmt::format("written: {}\n", key);
  return text;
}

std::string json_of(const TuneResult& result) {
  Json candidates = Json::array();
  for (const auto& one : result.candidates) candidates.push_back(json_of_candidate(one));
  Json json = {{"candidates", candidates}, {"changed", result.changed_keys}};
  if (result.chosen) json["chosen"] = result.candidates[*result.chosen].arm;
  return json.dump(2) + "\n";
}

namespace {

std::string rate_text(const std::optional<WinRate>& rate) {
  if (!rate) return "-";
  const std::string value = fmt::format("{:.0f} %", 100 * rate->rate);
  return rate->interval ? fmt::format("{} [{:.0f}, {:.0f}]", value, 100 * rate->interval->low, 100 * rate->interval->high)
                        : value;
}

std::string mean_text(const std::optional<Estimate>& estimate) { return estimate ? fmt::format("{:.3f}", estimate->mean) : "-"; }

Json json_of_rate(const std::optional<WinRate>& rate) {
  if (!rate) return nullptr;
  Json json = {{"rate", rate->rate}, {"pairs", rate->pairs},   {"prompts", rate->prompts},
               {"wins", rate->wins}, {"losses", rate->losses}, {"ties", rate->ties}};
  if (rate->interval) json["interval"] = {rate->interval->low, rate->interval->high};
  return json;
}

Json json_of_mean(const std::optional<Estimate>& estimate) {
  if (!estimate) return nullptr;
  Json json = {{"mean", estimate->mean}};
  if (estimate->inference) json["interval"] = {estimate->inference->interval.low, estimate->inference->interval.high};
  return json;
}

}  // namespace

std::string text_of(const ExperimentNextReport& report) {
  std::string text = fmt::format("{:<6} {:>8} {:>16} {:>16} {:>8} {:>13} {:>7}\n", "round", "rejects", "over the first",
                                 "over the last", "damage", "right object", "drift");
  for (const auto& row : report.table.rows)
    text += fmt::format("{:<6} {:>8} {:>16} {:>16} {:>8} {:>13} {:>7}\n", row.round,
                        row.round == 0 ? "-" : std::to_string(row.rejects), rate_text(row.over_first), rate_text(row.over_before),
                        mean_text(row.damage), mean_text(row.right_object), mean_text(row.drift));
  return text +
         fmt::format("no more rounds: {}\n{}\n{}\n", report.table.stopped, report.page.string(), report.rounds_report.string());
}

std::string json_of(const ExperimentNextReport& report) {
  Json rounds = Json::array();
  for (const auto& row : report.table.rows)
    rounds.push_back({{"round", row.round},
                      {"rejects", row.rejects},
                      {"over_first", json_of_rate(row.over_first)},
                      {"over_before", json_of_rate(row.over_before)},
                      {"people_over_first", json_of_rate(row.people_over_first)},
                      {"people_over_before", json_of_rate(row.people_over_before)},
                      {"damage", json_of_mean(row.damage)},
                      {"damage_change", json_of_mean(row.damage_change)},
                      {"right_object", json_of_mean(row.right_object)},
                      {"right_object_change", json_of_mean(row.right_object_change)},
                      {"drift", json_of_mean(row.drift)}});
  return Json({{"reject", report.table.reject},
               {"arm", report.rounds.arm},
               {"rounds", rounds},
               {"made", report.rounds.made},
               {"stopped", report.table.stopped},
               {"folder", report.rounds.folder.string()},
               {"page", report.page.string()},
               {"report", report.rounds_report.string()}})
             .dump(2) +
         "\n";
}

std::string text_of(const ExperimentPairsReport& report) {
  return fmt::format("{}: {} pairs by people, {} by the judge; {} ties are left out\n", report.file.string(), report.people,
                     report.judge, report.ties);
}

std::string json_of(const ExperimentPairsReport& report) {
  return Json({{"file", report.file.string()}, {"people", report.people}, {"judge", report.judge}, {"ties", report.ties}})
             .dump(2) +
         "\n";
}

std::string text_of(const RunStatus& status) {
  std::string text = status.name + (status.finished() ? ": whole\n" : ": not whole yet\n");
  for (const auto& stage : status.stages)
    text +=
        fmt::format("{:<14} {:>8} of {}{}\n", stage_name(stage.stage), stage.whole, stage.whole + stage.missing + stage.damaged,
                    stage.damaged > 0 ? fmt::format(", {} damaged", stage.damaged) : "");
  for (const auto& arm : status.arms)
    text += fmt::format("{:<40} {:>6} drawn, {:>6} measured of {}\n", arm.arm, arm.drawn, arm.measured, arm.planned);
  for (const auto& line : status.damaged) text += line + "\n";
  if (!status.orphans.empty())
    text += fmt::format("{} files of earlier plans, such as {}\n", status.orphans.size(), status.orphans.front());
  text += fmt::format("{} spent", duration_text(status.seconds_spent));
  if (status.seconds_left) text += fmt::format(", about {} left on one machine like those", duration_text(*status.seconds_left));
  return text + "\n";
}

std::string json_of(const RunStatus& status) {
  Json stages = Json::array(), arms = Json::array();
  for (const auto& stage : status.stages)
    stages.push_back(
        {{"stage", stage_name(stage.stage)}, {"whole", stage.whole}, {"damaged", stage.damaged}, {"missing", stage.missing}});
  for (const auto& arm : status.arms)
    arms.push_back({{"arm", arm.arm}, {"drawn", arm.drawn}, {"measured", arm.measured}, {"planned", arm.planned}});
  Json json = {{"experiment", status.name},
               {"finished", status.finished()},
               {"stages", stages},
               {"arms", arms},
               {"damaged", status.damaged},
               {"orphans", status.orphans},
               {"seconds_spent", status.seconds_spent}};
  if (status.seconds_left) json["seconds_left"] = *status.seconds_left;
  return json.dump(2) + "\n";
}

std::string text_of(const RunDifference& difference) {
  std::string text;
  for (const auto& line : difference.lines) text += line + "\n";
  return text +
         (difference.equal()
              ? fmt::format("equal: {} cells\n", difference.same)
              : fmt::format(
                    "{} cells the same, {} different, {} in the first alone, {} in the second alone, {} missing in both\n",
                    difference.same, difference.different, difference.only_first, difference.only_second, difference.missing));
}

std::string json_of(const RunDifference& difference) {
  return Json({{"equal", difference.equal()},
               {"lines", difference.lines},
               {"same", difference.same},
               {"different", difference.different},
               {"only_first", difference.only_first},
               {"only_second", difference.only_second},
               {"missing", difference.missing}})
             .dump(2) +
         "\n";
}

}  // namespace negativa::cli
