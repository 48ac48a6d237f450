// Exploratory sections: over a sweep's values, by damage, by prompt group, other lists of prompts.
#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "report/page_sections.h"
#include "report/plots.h"
#include "report/verdict.h"
#include "stats/words.h"

namespace negativa {

namespace {

constexpr const char* exploratory = "Exploratory, unadjusted. Bold on colour: the difference is clear by itself.";

void write_cell(Html& html, const std::optional<CrossCell>& cell) {
  if (!cell) {
    html.element("td", "–");
    return;
  }
  html.open("td", {{"class", says_class(cell->says)}}).text(value_text(cell->line));
  html.element("small", interval_text(cell->line)).close();
}

void write_cross(Html& html, const PageRun& run, const Cross& cross, const std::string& caption) {
  std::vector<std::string> headings = {"Arm"};
  for (const auto& column : cross.columns) {
    const bool is_outside = std::find(cross.outside.begin(), cross.outside.end(), column) != cross.outside.end();
    headings.push_back((column.empty() ? "no group" : column) + (is_outside ? " (*)" : ""));
  }
  begin_table(html, caption, headings, "cross");
  for (size_t row = 0; row < cross.arms.size(); ++row) {
    html.open("tr").open("th", {{"scope", "row"}}).written(run.arm(cross.arms[row]).name).close();
    for (const auto& cell : cross.cells[row]) write_cell(html, cell);
    html.close();
  }
  end_table(html);
}

// Of a path its last names, by which a reader knows it.
std::string shown_value(const std::string& value) {
  const size_t slash = value.rfind('/');
  return slash == std::string::npos || slash + 1 == value.size() ? value : "…/" + value.substr(slash + 1);
}

LinePlot plot_of(const Sweep& sweep, const std::string& words) {
  LinePlot plot;
  plot.title = fmt::format("{} over {}, arm by arm", words, sweep.axis);
  plot.x_axis = sweep.axis;
  plot.y_axis = "difference in " + words + " to the baseline at the same value";
  plot.has_zero_line = true;
  for (const auto& value : sweep.values) plot.categories.push_back(shown_value(value));
  for (const auto& series : sweep.series) {
    PlotLine line{series.name, {}};
    for (size_t i = 0; i < series.points.size(); ++i) {
      if (!series.points[i]) continue;
      const Estimate& estimate = series.points[i]->line;
      line.points.push_back({static_cast<double>(i), estimate.mean,
                             estimate.inference ? std::optional(estimate.inference->interval) : std::nullopt});
    }
    if (!line.points.empty()) plot.lines.push_back(std::move(line));
  }
  return plot;
}

void write_sweep_table(Html& html, const Sweep& sweep, const std::string& words) {
  std::vector<std::string> headings = {sweep.axis};
  for (const auto& value : sweep.values) headings.push_back(shown_value(value));
  begin_table(html, fmt::format("Sweep {}: mean {}, and the difference to the baseline at the same value", sweep.name, words),
              headings, "cross");
  for (const auto& series : sweep.series) {
    html.open("tr").open("th", {{"scope", "row"}}).written(series.name).close();
    for (size_t i = 0; i < sweep.values.size(); ++i) {
      const auto& mean = series.means[i];
      const auto& point = series.points[i];
      html.open("td", {{"class", point ? says_class(point->says) : ""}}).text(mean ? number_text(mean->mean, 3) : "–");
      if (point) html.element("small", value_text(point->line) + ", " + interval_text(point->line));
      if (mean) html.element("small", count_text(series.pictures[i], "picture"));
      html.close();
    }
    html.close();
  }
  end_table(html);
}

// Of the metric with the guard's rule, of the guard by itself.
Says says_of(const PageRun& run, int arm, int baseline, const std::string& metric, const Estimate* line) {
  if (!line) return Says::nothing;
  return metric == run.plan.analysis.metric ? compared(run.plan, run.differences, arm, baseline).says
                                            : says_alone(*line, metric, run.plan.analysis.level);
}

void write_list(Html& html, const PageRun& run, const std::string& list) {
  html.open("h3").text("Prompts: ").written(list).close();
  const std::vector<std::string> metrics = {run.plan.analysis.guard, run.plan.analysis.metric};
  int baseline = -1;
  std::vector<int> arms;
  for (size_t i = 0; i < run.plan.arms.size(); ++i)
    if (run.plan.arms[i].list == list && run.plan.arms[i].sweep.empty()) arms.push_back(static_cast<int>(i));
  if (!arms.empty()) baseline = arms.front();
  begin_table(html, "Arms on the prompts " + list,
              {"Arm", "Metric", "Mean", "Difference to " + (baseline < 0 ? "" : run.arm(baseline).name),
               percent_text(run.plan.analysis.level) + " interval", "p", "Says"});
  for (const int arm : arms)
    for (const auto& metric : metrics) {
      if (metric.empty()) continue;
      const auto mean = run.differences.mean(arm, metric);
      html.open("tr").open("th", {{"scope", "row"}}).written(run.arm(arm).name).close().element("td", metric_facts(metric).words);
      html.element("td", mean ? number_text(mean->mean, 3) : "–", {{"class", "number"}});
      const MetricDifference difference = arm == baseline ? MetricDifference() : run.differences.compare(arm, baseline, metric);
      const Estimate* line = verdict_line(difference, run.plan.analysis);
      const Says says = says_of(run, arm, baseline, metric, line);
      html.element("td", line ? value_text(*line) : "–", {{"class", "number"}});
      html.element("td",
                   line              ? interval_text(*line)
                   : arm == baseline ? "the baseline"
                                     : difference.why_absent,
                   {{"class", "range"}});
      html.element("td", line && line->inference ? p_text(line->inference->p_value) : "", {{"class", "number"}});
      html.element("td", line ? says_word(says) : "", {{"class", "says " + says_class(says)}}).close();
    }
  end_table(html);
}

}  // namespace

void write_sweeps(Html& html, const PageRun& run) {
  const auto sweeps = sweeps_of(run.compared(), run.plan.analysis.metric);
  if (sweeps.empty()) return paragraph(html, "The run has no sweep.");
  paragraph(html, exploratory, "soft");
  for (const auto& sweep : sweeps) {
    html.open("h3").written(fmt::format("{}: {} × arm", sweep.name, sweep.axis)).close();
    const LinePlot plot = plot_of(sweep, run.metric_words());
    if (!plot.lines.empty()) {
      html.open("figure");
      draw(html, plot);
      html.close();
    }
    write_sweep_table(html, sweep, run.metric_words());
  }
}

void write_damages(Html& html, const PageRun& run) {
  const Cross cross = by_damage(run.compared());
  if (cross.columns.empty()) return paragraph(html, "The judge names no damages.");
  paragraph(html,
            std::string(exploratory) +
                " Differences in the probability of each damage; damages share probability, so that one that grows takes from "
                "the others.",
            "soft");
  if (!cross.outside.empty()) paragraph(html, "(*) fell short in calibration: shown, outside every score and verdict.", "soft");
  write_cross(html, run, cross, "Damage by damage: difference of each arm to its baseline");
}

void write_groups(Html& html, const PageRun& run) {
  paragraph(html, exploratory, "soft");
  for (const auto& metric : {run.plan.analysis.metric, run.plan.analysis.guard}) {
    if (metric.empty()) continue;
    const Cross cross = by_group(run.compared(), metric);
    write_cross(html, run, cross,
                fmt::format("Group by group: difference in {} of each arm to its baseline", metric_facts(metric).words));
  }
}

void write_other_lists(Html& html, const PageRun& run) {
  const std::string& main_list = run.arm(run.analysis.baseline).list;
  std::set<std::string> written;
  for (const auto& arm : run.plan.arms)
    if (arm.list != main_list && arm.sweep.empty() && written.insert(arm.list).second) write_list(html, run, arm.list);
}

}  // namespace negativa
