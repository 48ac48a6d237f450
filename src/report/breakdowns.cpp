#include "report/breakdowns.h"

#include <algorithm>
#include <set>

#include "base/json.h"
#include "base/text.h"

namespace negativa {

namespace {

std::optional<CrossCell> cell_of(const Compared& run, int arm, int baseline, const std::string& metric,
                                 const PictureFilter& filter = {}) {
  const MetricDifference difference = run.differences.compare(arm, baseline, metric, filter);
  const Estimate* line = verdict_line(difference, run.plan.analysis);
  if (!line) return {};
  return CrossCell{*line, says_alone(*line, metric, run.plan.analysis.level)};
}

// Arms of [arms] that stand against another: of every list of prompts, or of the baseline's alone.
std::vector<int> compared_arms(const Compared& run, bool of_every_list) {
  const std::string& list = run.plan.arms[static_cast<size_t>(run.baseline)].list;
  std::vector<int> arms;
  for (size_t i = 0; i < run.plan.arms.size(); ++i) {
    const int arm = static_cast<int>(i);
    if (!run.plan.arms[i].sweep.empty() || baseline_of(run.plan, arm, run.baseline) == arm) continue;
    if (of_every_list || run.plan.arms[i].list == list) arms.push_back(arm);
  }
  return arms;
}

const PlannedArm& arm_of(const Compared& run, int arm) { return run.plan.arms[static_cast<size_t>(arm)]; }

int arm_called(const Compared& run, const std::string& name) {
  for (size_t i = 0; i < run.plan.arms.size(); ++i)
    if (run.plan.arms[i].sweep.empty() && run.plan.arms[i].name == name) return static_cast<int>(i);
  return -1;
}

std::string axis_value(const PlannedArm& arm, const std::string& axis) {
  const auto found = std::find_if(arm.axes.begin(), arm.axes.end(), [&](const auto& one) { return one.first == axis; });
  return found == arm.axes.end() ? "" : found->second;
}

constexpr const char* no_value = "none";

// The arm's own setting as a sweep would write it.
std::string own_value(const PlannedArm& arm, const std::string& axis) {
  const Json settings = parse_json(arm.settings_json, "settings of the arm " + arm.name);
  const auto found = settings.find(axis);
  if (found == settings.end() || found->is_null() || (found->is_array() && found->empty())) return no_value;
  if (!found->is_number()) return found->is_string() ? found->get<std::string>() : found->dump();
  return fmt::format("{}", found->get<double>());
}

std::string as_value(const std::string& text) {
  const auto number = number_from(text);
  return number ? fmt::format("{}", *number) : text;
}

// What the arms themselves have first, numbers ascending, all else as planned.
void sort_values(std::vector<std::string>& values) {
  const auto begin = std::stable_partition(values.begin(), values.end(), [](const auto& text) { return text == no_value; });
  if (std::all_of(begin, values.end(), [](const auto& text) { return number_from(text).has_value(); }))
    std::sort(begin, values.end(), [](const auto& a, const auto& b) { return *number_from(a) < *number_from(b); });
}

// A sweep's arms by series: of_arm and the values of all axes but the first.
struct Points {
  std::string name;
  int own = -1;                     // the arm that is varied, where the main arms have it
  std::map<std::string, int> arms;  // by value of the axis
};

std::vector<Points> points_of(const Compared& run, const std::string& sweep, const std::string& axis) {
  std::vector<Points> series;
  for (size_t i = 0; i < run.plan.arms.size(); ++i) {
    const PlannedArm& arm = run.plan.arms[i];
    if (arm.sweep != sweep) continue;
    std::string name = arm.of_arm.empty() ? "default" : arm.of_arm;
    for (const auto& [option, value] : arm.axes)
      if (option != axis) name += fmt::format(", {} {}", option, value);
    auto found = std::find_if(series.begin(), series.end(), [&](const Points& one) { return one.name == name; });
    if (found == series.end()) {
      series.push_back({name, arm.axes.size() == 1 ? arm_called(run, arm.of_arm) : -1, {}});
      found = series.end() - 1;
    }
    found->arms[as_value(axis_value(arm, axis))] = static_cast<int>(i);
  }
  for (auto& one : series)
    if (one.own >= 0) one.arms.try_emplace(own_value(arm_of(run, one.own), axis), one.own);
  return series;
}

SweepSeries series_of(const Compared& run, const Sweep& sweep, const Points& points) {
  SweepSeries series{points.name, {}, {}, {}};
  for (const auto& value : sweep.values) {
    const auto found = points.arms.find(value);
    const int arm = found == points.arms.end() ? -1 : found->second;
    const int baseline = arm < 0 ? -1 : baseline_of(run.plan, arm, run.baseline);
    series.points.push_back(arm < 0 || baseline == arm ? std::nullopt : cell_of(run, arm, baseline, sweep.metric));
    series.means.push_back(arm < 0 ? std::nullopt : run.differences.mean(arm, sweep.metric));
    series.pictures.push_back(
        static_cast<size_t>(std::count_if(run.records.pictures.begin(), run.records.pictures.end(),
                                          [&](const auto& one) { return one.arm == arm && one.is_measured; })));
  }
  return series;
}

}  // namespace

Cross by_damage(const Compared& run) {
  Cross cross;
  cross.arms = compared_arms(run, false);
  std::vector<std::string> metrics;
  for (const auto& name : run.plan.metric_names)
    if (name.starts_with(damage_prefix)) metrics.push_back(name);
  for (const auto& name : metrics) {
    cross.columns.push_back(metric_facts(name).words);
    const bool counts = std::any_of(run.plan.damages.begin(), run.plan.damages.end(),
                                    [&](const auto& damage) { return damage_column(damage) == name; });
    if (!counts) cross.outside.push_back(cross.columns.back());
  }
  for (const int arm : cross.arms) {
    auto& row = cross.cells.emplace_back();
    for (const auto& name : metrics) row.push_back(cell_of(run, arm, baseline_of(run.plan, arm, run.baseline), name));
  }
  return cross;
}

Cross by_group(const Compared& run, const std::string& metric) {
  Cross cross;
  cross.metric = metric;
  cross.arms = compared_arms(run, false);
  for (const auto& prompt : run.plan.prompts)
    if (prompt.list == run.plan.arms[static_cast<size_t>(run.baseline)].list &&
        std::find(cross.columns.begin(), cross.columns.end(), prompt.group) == cross.columns.end())
      cross.columns.push_back(prompt.group);
  for (const int arm : cross.arms) {
    auto& row = cross.cells.emplace_back();
    for (const auto& group : cross.columns)
      row.push_back(cell_of(run, arm, baseline_of(run.plan, arm, run.baseline), metric, [&](const ArmPicture& picture) {
        return run.plan.prompts[static_cast<size_t>(picture.prompt)].group == group;
      }));
  }
  return cross;
}

std::vector<Sweep> sweeps_of(const Compared& run, const std::string& metric) {
  std::vector<Sweep> sweeps;
  std::set<std::string> seen;
  for (const auto& arm : run.plan.arms) {
    if (arm.sweep.empty() || arm.axes.empty() || !seen.insert(arm.sweep).second) continue;
    Sweep sweep{arm.sweep, arm.axes.front().first, {}, metric, {}};
    const auto points = points_of(run, sweep.name, sweep.axis);
    const auto add = [&](const std::string& value) {
      if (std::find(sweep.values.begin(), sweep.values.end(), value) == sweep.values.end()) sweep.values.push_back(value);
    };
    for (const auto& one : run.plan.arms)
      if (one.sweep == sweep.name) add(as_value(axis_value(one, sweep.axis)));
    for (const auto& one : points)
      for (const auto& [value, number] : one.arms) add(value);
    sort_values(sweep.values);
    for (const auto& one : points) sweep.series.push_back(series_of(run, sweep, one));
    sweeps.push_back(std::move(sweep));
  }
  return sweeps;
}

WhatGotWorse what_got_worse(const Compared& run, std::optional<int> first_arm) {
  WhatGotWorse result;
  std::vector<int> arms = compared_arms(run, true);
  if (first_arm) std::stable_partition(arms.begin(), arms.end(), [&](int arm) { return arm == *first_arm; });
  for (const int arm : arms) {
    const int baseline = baseline_of(run.plan, arm, run.baseline);
    for (const auto& metric : run.plan.metric_names) {
      if (metric_facts(metric).better == BetterSide::neither) continue;
      const auto cell = cell_of(run, arm, baseline, metric);
      if (!cell) continue;
      ++result.looked_at;
      result.by_chance += least_p_of(cell->line, run.plan.analysis.level) / 2;
      if (cell->says == Says::worse) result.found.push_back({arm, baseline, metric, cell->line});
    }
  }
  return result;
}

}  // namespace negativa
