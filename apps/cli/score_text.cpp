#include "score_text.h"

#include "base/json.h"
#include "stats/words.h"

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

std::string means_of(const ScoreReport& report, size_t s) {
  std::string text =
      fmt::format("\n{}: {} pictures, judge {}\n  {:<36} {:>9}  {:>22}  {}\n", report.sets[s].name,
                  report.sets[s].pictures.size(), report.judge, "metric", "mean", "95 % interval", "better, unit, pictures");
  for (size_t m = 0; m < report.metrics.size(); ++m) {
    const auto& mean = report.rows[m].means[s];
    if (!mean) continue;
    text += fmt::format("  {:<36} {}  {} {}, {}\n", shown_name(report, report.metrics[m].name),
                        value_text(mean->mean, interval_of(*mean), false), better_text(report.metrics[m].better),
                        report.metrics[m].unit, report.rows[m].pictures[s]);
  }
  if (!report.cmmd) return text;
  const auto& interval = report.cmmd->intervals[s];
  text += fmt::format("  {:<36} {}  lower\n", "cmmd",
                      value_text(report.cmmd->unbiased[s], interval ? interval->interval : std::nullopt, false));
  return text + fmt::format("  {:<36} {:>9.4g}\n", "cmmd_biased", report.cmmd->biased[s]);
}

std::string differences_of(const ScoreReport& report, size_t s) {
  std::string text = fmt::format("\n{} - {}\n", report.sets[s].name, report.sets[0].name);
  for (size_t m = 0; m < report.metrics.size(); ++m) {
    const auto& difference = report.rows[m].differences[s - 1];
    if (!difference) continue;
    text += fmt::format("  {:<36} {}  {}\n", shown_name(report, report.metrics[m].name),
                        value_text(difference->difference.mean, interval_of(difference->difference), true),
                        better_sentence(report.metrics[m].better));
    for (const auto& line : sentences(*difference)) text += fmt::format("      {}\n", line);
  }
  if (report.cmmd && report.cmmd->differences[s - 1])
    text += fmt::format("  cmmd: {}\n", sentence(*report.cmmd->differences[s - 1]));
  return text;
}

std::string calibration_text(const Calibration& calibration) {
  std::string text = fmt::format("calibration of {} with {}: area under the curve on reference pictures, on drawn ones\n",
                                 calibration.judge, calibration.model);
  for (const auto& damage : calibration.damages)
    text += fmt::format("  {:<28} {:.3f}  {:.3f}{}\n", damage.damage, damage.auc_reference, damage.auc_drawn,
                        damage.auc_drawn < least_auc ? "  outside every score" : "");
  return text;
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

}  // namespace

std::string text_of(const ScoreReport& report) {
  std::string text;
  for (const auto& line : report.first_lines) text += line + "\n";
  for (const auto& calibration : report.calibrations) text += calibration_text(calibration);
  for (const auto& note : report.notes) text += note + "\n";
  for (size_t s = 0; s < report.sets.size(); ++s) text += means_of(report, s);
  for (size_t s = 1; s < report.sets.size(); ++s) text += differences_of(report, s);
  if (!report.basis.outside.empty() && !report.sets.empty())
    text += fmt::format("\n(*) below {:.1f} in calibration: shown, outside every score\n", least_auc);
  return text;
}

std::string json_of(const ScoreReport& report) {
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
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string text_of(const ScoreForecast& forecast) {
  std::string text;
  for (const auto& set : forecast.sets) text += fmt::format("{}: {} pictures\n", set.name, set.files.size());
  return text;
}

}  // namespace negativa::cli
