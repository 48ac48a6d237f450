#include "jobs/score.h"

#include <cstdio>

#include "base/json.h"
#include "base/log.h"
#include "options.h"
#include "stats/words.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

const char* better_text(Better better) { return better == Better::higher ? "higher" : better == Better::lower ? "lower" : "-"; }
const char* better_sentence(Better better) {
  return better == Better::higher ? "higher is better" : better == Better::lower ? "lower is better" : "neither is better";
}

Json interval_json(const std::optional<Interval>& interval) { return interval ? Json{interval->low, interval->high} : Json(); }

std::optional<Interval> interval_of(const Estimate& estimate) {
  return estimate.inference ? std::optional(estimate.inference->interval) : std::nullopt;
}

// "0.42  0.31 .. 0.55"
std::string value_text(double value, const std::optional<Interval>& interval, bool sign) {
  const int digits = decimals_for(interval ? (interval->high - interval->low) / 2 : std::abs(value));
  const auto text = [&](double number) { return sign ? signed_text(number, digits) : number_text(number, digits); };
  return interval ? fmt::format("{:>9}  {:>9} .. {:<9}", text(value), text(interval->low), text(interval->high))
                  : fmt::format("{:>9}  {:>22}", text(value), "no interval");
}

std::string shown_name(const ScoreReport& report, const std::string& name) {
  if (name == "damage" && !report.basis.uncalibrated.empty()) return "damage (uncalibrated)";
  for (const auto& damage : report.basis.outside)
    if (name == damage_metric_name(damage)) return name + " (*)";
  return name;
}

void print_means(const ScoreReport& report, size_t s) {
  std::printf("\n%s: %zu pictures, judge %s\n", report.sets[s].name.c_str(), report.sets[s].pictures.size(),
              report.judge.c_str());
  std::printf("  %-36s %9s  %22s  %s\n", "metric", "mean", "95 % interval", "better, unit, pictures");
  for (size_t m = 0; m < report.metrics.size(); ++m) {
    const auto& mean = report.rows[m].means[s];
    if (!mean) continue;
    std::printf("  %-36s %s  %s %s, %zu\n", shown_name(report, report.metrics[m].name).c_str(),
                value_text(mean->mean, interval_of(*mean), false).c_str(), better_text(report.metrics[m].better),
                report.metrics[m].unit.c_str(), report.rows[m].pictures[s]);
  }
  if (!report.cmmd) return;
  const auto& interval = report.cmmd->intervals[s];
  std::printf("  %-36s %s  lower\n", "cmmd",
              value_text(report.cmmd->unbiased[s], interval ? interval->interval : std::nullopt, false).c_str());
  std::printf("  %-36s %9.4g\n", "cmmd_biased", report.cmmd->biased[s]);
}

void print_differences(const ScoreReport& report, size_t s) {
  std::printf("\n%s - %s\n", report.sets[s].name.c_str(), report.sets[0].name.c_str());
  for (size_t m = 0; m < report.metrics.size(); ++m) {
    const auto& difference = report.rows[m].differences[s - 1];
    if (!difference) continue;
    std::printf("  %-36s %s  %s\n", shown_name(report, report.metrics[m].name).c_str(),
                value_text(difference->difference.mean, interval_of(difference->difference), true).c_str(),
                better_sentence(report.metrics[m].better));
    for (const auto& line : sentences(*difference)) std::printf("      %s\n", line.c_str());
  }
  if (report.cmmd && report.cmmd->differences[s - 1])
    std::printf("  cmmd: %s\n", sentence(*report.cmmd->differences[s - 1]).c_str());
}

void print_calibrations(const std::vector<Calibration>& calibrations) {
  for (const auto& calibration : calibrations) {
    std::printf("calibration of %s with %s: area under the curve on reference pictures, on drawn ones\n",
                calibration.judge.c_str(), calibration.model.c_str());
    for (const auto& damage : calibration.damages)
      std::printf("  %-28s %.3f  %.3f%s\n", damage.damage.c_str(), damage.auc_reference, damage.auc_drawn,
                  damage.auc_drawn < least_auc ? "  outside every score" : "");
  }
}

void print_text(const ScoreReport& report) {
  for (const auto& line : report.first_lines) std::printf("%s\n", line.c_str());
  print_calibrations(report.calibrations);
  for (const auto& note : report.notes) std::printf("%s\n", note.c_str());
  for (size_t s = 0; s < report.sets.size(); ++s) print_means(report, s);
  for (size_t s = 1; s < report.sets.size(); ++s) print_differences(report, s);
  if (!report.basis.outside.empty() && !report.sets.empty())
    std::printf("\n(*) below %.1f in calibration: shown, outside every score\n", least_auc);
}

Json difference_json(const SetComparison& comparison) {
  return {
      {"paired", comparison.paired},
      {"mean", comparison.difference.mean},
      {"interval", interval_json(interval_of(comparison.difference))},
      {"p_value", comparison.difference.inference ? Json(comparison.difference.inference->p_value) : Json()},
      {"wilcoxon_p_value", comparison.wilcoxon && comparison.wilcoxon->p_value ? Json(*comparison.wilcoxon->p_value) : Json()},
      {"sentences", sentences(comparison)},
      {"unpaired_first", comparison.unpaired_first},
      {"unpaired_second", comparison.unpaired_second}};
}

Json calibration_json(const Calibration& calibration) { return parse_json(calibration.to_text(), "calibration"); }

Json set_json(const ScoreReport& report, size_t s) {
  Json metrics = Json::object(), pictures = Json::array();
  for (size_t m = 0; m < report.metrics.size(); ++m) {
    const auto& mean = report.rows[m].means[s];
    if (!mean) continue;
    Json& one = metrics[report.metrics[m].name] = {{"mean", mean->mean},
                                                   {"interval", interval_json(interval_of(*mean))},
                                                   {"prompts", mean->prompts},
                                                   {"pictures", report.rows[m].pictures[s]}};
    if (s > 0 && report.rows[m].differences[s - 1]) one["difference"] = difference_json(*report.rows[m].differences[s - 1]);
  }
  if (report.cmmd) {
    const auto& interval = report.cmmd->intervals[s];
    metrics["cmmd"] = {{"value", report.cmmd->unbiased[s]},
                       {"interval", interval_json(interval ? interval->interval : std::nullopt)}};
    metrics["cmmd_biased"] = {{"value", report.cmmd->biased[s]}};
    if (s > 0 && report.cmmd->differences[s - 1]) {
      const auto& difference = *report.cmmd->differences[s - 1];
      metrics["cmmd"]["difference"] = {{"value", difference.value}, {"interval", interval_json(difference.interval)}};
    }
  }
  for (const auto& picture : report.sets[s].pictures) {
    Json values = Json::object();
    for (size_t m = 0; m < report.metrics.size(); ++m)
      if (picture.values[m]) values[report.metrics[m].name] = *picture.values[m];
    pictures.push_back({{"file", picture.file.name},
                        {"prompt", picture.file.caption},
                        {"seed", picture.file.seed ? Json(*picture.file.seed) : Json()},
                        {"values", values}});
  }
  return {{"folder", report.sets[s].name}, {"metrics", metrics}, {"pictures", pictures}};
}

void print_json(const ScoreReport& report) {
  Json metrics = Json::object(), sets = Json::array(), calibrations = Json::array();
  for (const auto& metric : report.metrics)
    metrics[metric.name] = {{"unit", metric.unit}, {"better", better_text(metric.better)}};
  for (size_t s = 0; s < report.sets.size(); ++s) sets.push_back(set_json(report, s));
  for (const auto& calibration : report.calibrations) calibrations.push_back(calibration_json(calibration));
  const Json json = {
      {"judge", report.judge},
      {"first_lines", report.first_lines},
      {"notes", report.notes},
      {"metrics", metrics},
      {"sets", sets},
      {"calibrations", calibrations},
      {"damages",
       {{"in_score", report.basis.damages}, {"outside", report.basis.outside}, {"uncalibrated", report.basis.uncalibrated}}}};
  std::printf("%s\n", json.dump(2, ' ', false, Json::error_handler_t::replace).c_str());
}

}  // namespace

int run_score(const Arguments& args) {
  ScoreOptions options;
  CommonOptions common;
  Fields fields = fields_of(options);
  if (!parse_command_line({"score", "what can be measured of pictures, and whether those of another folder are better", args},
                          fields, common))
    return 0;
  if (common.print_config) {
    std::printf("%s", print_config(fields).c_str());
    return 0;
  }
  if (common.dry_run) {
    for (const auto& folder : options.folder) {
      const ScoreSet set = read_score_set(folder, true);
      std::printf("%s: %zu pictures\n", set.name.c_str(), set.files.size());
    }
    return 0;
  }
  const ScoreReport report = score(options, interrupt_token());
  if (common.json)
    print_json(report);
  else
    print_text(report);
  return 0;
}

}  // namespace negativa::cli
