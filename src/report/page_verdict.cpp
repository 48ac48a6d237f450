// The answer: verdict, what got worse, the planned comparisons and the table of arms.
#include <algorithm>

#include "base/error.h"
#include "report/page_sections.h"
#include "report/plots.h"
#include "report/verdict.h"
#include "stats/words.h"

namespace negativa {

namespace {

std::string role_text(const Comparison& comparison) {
  return comparison.role == Role::primary     ? "primary"
         : comparison.role == Role::secondary ? "secondary, Holm"
                                              : "exploratory, unadjusted";
}

void details_of(Html& html, const PageRun& run, const Comparison& comparison) {
  html.open("details");
  html.element("summary", "All lines on " + comparison.label);
  for (const auto* difference : {&comparison.metric, &comparison.guard}) {
    if (difference == &comparison.guard && run.plan.analysis.guard.empty()) continue;
    html.element("h3", metric_facts(difference->metric).words + (difference == &comparison.guard ? " (guard)" : ""));
    std::vector<std::string> lines;
    if (difference->comparison)
      lines = sentences(*difference->comparison);
    else
      lines = {difference->why_absent};
    if (difference->unmeasured > 0) lines.push_back(count_text(difference->unmeasured, "pair") + " not measured");
    if (difference->without_value > 0)
      lines.push_back(fmt::format("the metric says nothing of {}", count_text(difference->without_value, "pair")));
    sentences_list(html, lines);
  }
  if (comparison.power) paragraph(html, sentence(*comparison.power) + ".");
  paragraph(html,
            "The lines are not adjusted for how many they are; the verdict uses the first that speaks of what the plan names.",
            "soft");
  html.close();
}

void write_row(Html& html, const PageRun& run, const Comparison& comparison) {
  const Estimate* line = verdict_line(comparison.metric, run.plan.analysis);
  const Estimate* guard = verdict_line(comparison.guard, run.plan.analysis);
  html.open("tr").open("th", {{"scope", "row"}}).written(comparison.label).close();
  html.element("td", role_text(comparison));
  html.element("td", line ? value_text(*line) : "–", {{"class", "number"}});
  html.element("td", line ? interval_text(*line) : comparison.metric.why_absent, {{"class", "range"}});
  html.element("td",
               comparison.together
                   ? fmt::format("{} to {}", signed_text(comparison.together->low, 3), signed_text(comparison.together->high, 3))
                   : "",
               {{"class", "range"}});
  html.element("td", comparison.p_value ? p_text(*comparison.p_value) : "", {{"class", "number"}});
  html.element("td", guard ? value_text(*guard) + ", " + interval_text(*guard) : "–", {{"class", "range"}});
  html.element("td", says_word(comparison.says), {{"class", "says " + says_class(comparison.says)}});
  html.element("td", line ? subject_of(*line) : "", {{"class", "range"}});
  std::string note = comparison.why;
  if (comparison.power) note += (note.empty() ? "" : "; ") + sentence(*comparison.power);
  html.element("td", note, {{"class", "note"}}).close();
}

ForestRow forest_row(const Comparison& comparison, const AnalysisPlan& analysis) {
  const Estimate* line = verdict_line(comparison.metric, analysis);
  ForestRow row{comparison.label, says_class(comparison.says), line ? line->mean : 0, {}, comparison.together, {}};
  if (line && line->inference) row.interval = line->inference->interval;
  row.text = !line ? "not measured" : signed_text(line->mean, 3) + "  " + says_word(comparison.says);
  return row;
}

void write_worse_table(Html& html, const PageRun& run, const std::vector<Worse>& found, const std::string& caption) {
  begin_table(html, caption,
              {"Arm", "Against", "Metric", "Difference", percent_text(run.plan.analysis.level) + " interval", "p", "Speaks of"});
  for (const auto& one : found) {
    html.open("tr").open("th", {{"scope", "row"}}).written(run.arm(one.arm).name).close();
    html.open("td").written(run.arm(one.baseline).name).close();
    html.element("td", metric_facts(one.metric).words);
    html.element("td", value_text(one.line), {{"class", "number worse"}});
    html.element("td", interval_text(one.line), {{"class", "range"}});
    html.element("td", one.line.inference ? p_text(one.line.inference->p_value) : "", {{"class", "number"}});
    html.element("td", subject_of(one.line)).close();
  }
  end_table(html);
}

// Other lists have a section of their own.
bool is_of_main_list(const PageRun& run, int arm) { return run.arm(arm).list == run.arm(run.analysis.baseline).list; }

Forest begun_forest(const PageRun& run) {
  const BetterSide side = metric_facts(run.plan.analysis.metric).better;
  Forest forest;
  forest.axis = "difference in " + run.metric_words();
  forest.left = side == BetterSide::lower ? "better" : side == BetterSide::higher ? "worse" : "lower";
  forest.right = side == BetterSide::lower ? "worse" : side == BetterSide::higher ? "better" : "higher";
  return forest;
}

void begin_comparisons_table(Html& html, const PageRun& run, const std::string& caption) {
  const std::string level = percent_text(run.plan.analysis.level);
  begin_table(html, caption,
              {"Comparison", "In the plan", "Difference", level + " interval", "Holds together", "p",
               "Guard: " + metric_facts(run.plan.analysis.guard).words, "Says", "Speaks of", "Note"});
}

}  // namespace

std::string PageRun::metric_words() const {
  const std::string words = metric_facts(plan.analysis.metric).words;
  return plan.analysis.metric == "damage" && !plan.uncalibrated.empty() ? words + " (uncalibrated)" : words;
}

void write_verdict(Html& html, const PageRun& run) {
  const auto& primary = run.analysis.primary;
  html.open("p", {{"class", "verdict " + (primary ? says_class(primary->says) : "")}}).written(run.analysis.verdict).close();
  if (!run.plan.uncalibrated.empty()) paragraph(html, "The damage score is uncalibrated: " + run.plan.uncalibrated + ".");
  if (primary) details_of(html, run, *primary);
  if (!run.records.faults.empty()) {
    html.open("div", {{"class", "faults"}})
        .element("p", "This run is not whole. What follows is right about what is there; not there are:");
    sentences_list(html, run.records.faults);
    html.close();
  }
  if (!run.analysis.not_in_plan.empty()) sentences_list(html, run.analysis.not_in_plan);
}

void write_worse(Html& html, const PageRun& run) {
  const std::optional<int> first = run.analysis.primary ? std::optional(run.analysis.primary->arm) : std::nullopt;
  const auto worse = what_got_worse(run.compared(), first);
  if (worse.looked_at == 0) return paragraph(html, "Nothing was measured yet.");
  paragraph(html,
            fmt::format("Of {} differences of an arm in a metric, {} are clearly on the worse side. None is adjusted for how "
                        "many they are: about {:.0f} would be, by chance alone, if nothing had changed.",
                        worse.looked_at, worse.found.size(), worse.by_chance));
  const auto is_main = [&](const Worse& one) {
    return one.arm == first || one.metric == run.plan.analysis.metric || one.metric == run.plan.analysis.guard;
  };
  std::vector<Worse> main, rest;
  for (const auto& one : worse.found) (is_main(one) ? main : rest).push_back(one);
  if (!main.empty()) write_worse_table(html, run, main, "What got worse");
  if (rest.empty()) return;
  html.open("details").element("summary", fmt::format("{} more, of other arms in other metrics", rest.size()));
  write_worse_table(html, run, rest, "What else got worse");
  html.close();
}

void write_comparisons(Html& html, const PageRun& run) {
  if (!run.analysis.primary && run.analysis.secondary.empty())
    return paragraph(html, "The plan names no comparison; the table of arms is exploratory.");
  Forest forest = begun_forest(run);
  forest.title = "Forest plot: the planned comparisons";
  std::vector<ForestRow> rows;
  if (run.analysis.primary) {
    forest.headings.push_back("Primary");
    forest.groups.push_back({forest_row(*run.analysis.primary, run.plan.analysis)});
  }
  for (const auto& comparison : run.analysis.secondary) rows.push_back(forest_row(comparison, run.plan.analysis));
  if (!rows.empty()) {
    forest.headings.push_back("Secondary, one family");
    forest.groups.push_back(std::move(rows));
  }
  html.open("figure");
  draw(html, forest);
  html.close();
  paragraph(html,
            fmt::format("Thick: the {} interval of each by itself. Dashed: intervals that hold all together. The words use "
                        "Holm's adjusted p for the secondary ones.",
                        percent_text(run.plan.analysis.level)),
            "soft");
  begin_comparisons_table(html, run, "The planned comparisons");
  if (run.analysis.primary) write_row(html, run, *run.analysis.primary);
  for (const auto& comparison : run.analysis.secondary) write_row(html, run, comparison);
  end_table(html);
  for (const auto& comparison : run.analysis.secondary) details_of(html, run, comparison);
}

void write_arms(Html& html, const PageRun& run) {
  const TableOfArms table = table_of_arms(run.plan, run.records, run.analysis);
  Forest forest = begun_forest(run);
  forest.title = "Forest plot: every arm against its baseline";
  forest.headings = {""};
  forest.groups.emplace_back();
  for (const auto& row : table.rows) {
    if (!row.against || !is_of_main_list(run, row.arm)) continue;
    ForestRow drawn = forest_row(*row.against, run.plan.analysis);
    drawn.label = row.name;
    drawn.together.reset();
    forest.groups[0].push_back(std::move(drawn));
  }
  html.open("figure");
  draw(html, forest);
  html.close();
  begin_table(html, "Every arm", {"Arm", "Pictures", "Mean " + run.metric_words(), "Mean " + table.guard_words});
  for (const auto& row : table.rows) {
    html.open("tr").open("th", {{"scope", "row"}}).written(row.name).close();
    html.element("td",
                 row.measured == row.planned ? std::to_string(row.measured) : fmt::format("{} of {}", row.measured, row.planned),
                 {{"class", "number"}});
    for (const auto& mean : {row.mean, row.guard_mean}) html.element("td", mean ? short_text(*mean) : "–");
    html.close();
  }
  end_table(html);
  begin_comparisons_table(html, run, "Every arm against its baseline");
  for (const auto& row : table.rows)
    if (row.against && is_of_main_list(run, row.arm)) write_row(html, run, *row.against);
  end_table(html);
}

void write_grid(Html& html, const PageRun& run) {
  if (run.sample)
    paragraph(html, fmt::format("A sample: {} prompts at random (seed {}) and the {} that {} changed most in {}; of each the "
                                "first noise seed and training. All numbers elsewhere are of all pictures.",
                                run.sample->random, run.sample->seed, run.sample->most_changed,
                                run.arm(changed_arms(run.plan, run.analysis).first).name,
                                metric_facts(run.plan.analysis.metric).words));
  paragraph(html, "The same noise along a row. A picture opens with its settings, beside another arm's under a slider.", "soft");
  html.open("noscript")
      .element("p", "The grid is drawn by the page's script; the pictures lie in the run folder's folder pictures.")
      .close();
  html.open("div", {{"class", "bar"}, {"id", "grid-tools"}, {"hidden", ""}});
  for (const auto& [id, label] : {std::pair{"grid-list", "Prompts"},
                                  {"grid-group", "Group"},
                                  {"grid-replicate", "Noise seed"},
                                  {"grid-training", "Training"},
                                  {"grid-order", "Order"},
                                  {"grid-metric", "Number under a picture"},
                                  {"grid-zoom", "Size"}})
    html.open("label").text(label).element("select", "", {{"id", id}}).close();
  html.close();
  html.open("details", {{"class", "no-print"}})
      .element("summary", "Arms shown")
      .element("fieldset", "", {{"class", "choices"}, {"id", "arms-shown"}, {"aria-label", "Arms shown"}})
      .close();
  html.element("p", "", {{"class", "soft"}, {"id", "grid-count"}, {"aria-live", "polite"}});
  html.element("div", "",
               {{"class", "scroll grid-scroll"},
                {"id", "grid"},
                {"tabindex", "0"},
                {"role", "region"},
                {"aria-label", "Pictures: prompts by arms"}});
  html.element("button", "More prompts", {{"id", "more"}, {"type", "button"}, {"class", "no-print"}, {"hidden", ""}});
}

}  // namespace negativa
