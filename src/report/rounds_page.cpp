#include "report/rounds_page.h"

#include <algorithm>

#include "base/error.h"
#include "report/page_pictures.h"
#include "report/page_sections.h"
#include "report/people.h"
#include "report/plots.h"
#include "stats/words.h"

namespace negativa {

namespace {

constexpr size_t shown_prompts = 6;

std::string reject_words(const std::string& reject) {
  if (reject == "judge_select") return "The worst by the judge that chooses";
  if (reject == "random") return "The control: pictures at random";
  if (reject == "people") return "What people rejected";
  return "Pictures of a person's folder";
}

std::string rate_text(const std::optional<WinRate>& rate) {
  if (!rate) return "–";
  const std::string value = fmt::format("{:.0f} %", 100 * rate->rate);
  if (!rate->interval) return value + ", no interval: " + rate->why_absent;
  return fmt::format("{}, {:.0f} to {:.0f} %", value, 100 * rate->interval->low, 100 * rate->interval->high);
}

std::string mean_text(const std::optional<Estimate>& estimate) {
  if (!estimate) return "–";
  const std::string value = fmt::format("{:.3f}", estimate->mean);
  if (!estimate->inference) return value;
  const Interval& interval = estimate->inference->interval;
  return fmt::format("{}, {:.3f} to {:.3f}", value, interval.low, interval.high);
}

std::string change_text(const Estimate& change) { return "change " + value_text(change) + ", " + interval_text(change); }

bool has_people(const RoundsTable& table) {
  for (const auto& row : table.rows)
    if (row.people_over_first || row.people_over_before) return true;
  return false;
}

// A mean, and under it how it differs from round 0.
void write_measured(Html& html, const std::optional<Estimate>& mean, const std::optional<Estimate>& change) {
  html.open("td", {{"class", "range"}}).text(mean_text(mean));
  if (change) html.element("div", change_text(*change), {{"class", "soft"}});
  html.close();
}

void write_table(Html& html, const RoundsTable& table) {
  std::vector<std::string> headings{"Round",  "Trained on",   "Win rate over the first", "Win rate over the one before",
                                    "Damage", "Right object", "Drift from the start"};
  if (has_people(table)) headings.insert(headings.end(), {"People: over the first", "People: over the one before"});
  begin_table(html, "Rounds, with 95 % intervals; changes are against round 0, picture by picture", headings);
  for (const auto& row : table.rows) {
    html.open("tr").element("th", std::to_string(row.round), {{"scope", "row"}});
    html.element("td", row.round == 0 ? "–" : count_text(row.rejects, "picture"), {{"class", "range"}});
    for (const auto* rate : {&row.over_first, &row.over_before}) html.element("td", rate_text(*rate), {{"class", "range"}});
    write_measured(html, row.damage, row.damage_change);
    write_measured(html, row.right_object, row.right_object_change);
    html.element("td", mean_text(row.drift), {{"class", "range"}});
    if (has_people(table))
      for (const auto* rate : {&row.people_over_first, &row.people_over_before})
        html.element("td", rate_text(*rate), {{"class", "range"}});
    html.close();
  }
  end_table(html);
}

// One curve a series.
struct Curve {
  const char *title, *axis;
  std::optional<PlotPoint> (*point)(const RoundRow&);
};

std::optional<PlotPoint> point_of(const RoundRow& row, const std::optional<Estimate>& estimate) {
  if (!estimate) return {};
  PlotPoint point{static_cast<double>(row.round), estimate->mean};
  if (estimate->inference) point.interval = estimate->inference->interval;
  return point;
}

std::optional<PlotPoint> won_over_first(const RoundRow& row) {
  if (row.round == 0) return PlotPoint{0, 0.5};
  if (!row.over_first) return {};
  return PlotPoint{static_cast<double>(row.round), row.over_first->rate, row.over_first->interval};
}

constexpr Curve curves[] = {
    {"Win rate over round 0", "share of pairs won", won_over_first},
    {"Damage", "damage score", [](const RoundRow& row) { return point_of(row, row.damage); }},
    {"Right object", "probability of the right object", [](const RoundRow& row) { return point_of(row, row.right_object); }},
    {"Drift from the start", "levels of 0 to 255",
     [](const RoundRow& row) { return row.round == 0 ? PlotPoint() : point_of(row, row.drift); }},
};

void write_curves(Html& html, const std::vector<SeriesOfRounds>& series) {
  size_t rounds = 0;
  for (const auto& one : series) rounds = std::max(rounds, one.table.rows.size());
  for (const Curve& curve : curves) {
    LinePlot plot{curve.title, "round", curve.axis, {}};
    for (size_t round = 0; round < rounds; ++round) plot.categories.push_back(std::to_string(round));
    size_t points = 0;
    for (const auto& one : series) {
      PlotLine line{one.table.reject, {}};
      for (const auto& row : one.table.rows)
        if (const auto point = curve.point(row)) line.points.push_back(*point);
      points += line.points.size();
      plot.lines.push_back(std::move(line));
    }
    if (points == 0) continue;
    html.element("h3", curve.title).open("figure");
    draw(html, plot);
    html.close();
  }
}

// Evenly spread over the prompts that the rounds draw.
std::vector<int> prompts_shown(const RunPlan& plan) {
  std::vector<int> prompts;
  const size_t count = std::min(shown_prompts, plan.prompts.size());
  for (size_t i = 0; i < count; ++i) prompts.push_back(static_cast<int>(i * plan.prompts.size() / count));
  return prompts;
}

const PlannedCell* picture_of(const RunPlan& plan, int arm, int prompt) {
  for (const auto& cell : plan.cells)
    if (cell.stage == CellStage::picture && cell.arm == arm && cell.prompt == prompt && cell.replicate == 0 && cell.training <= 0)
      return &cell;
  return nullptr;
}

size_t write_pictures(Html& html, const SeriesOfRounds& series, std::vector<std::string>& notices) {
  const RunPlan& plan = *series.store.frozen();
  std::vector<std::string> headings{"Prompt"};
  for (const auto& row : series.table.rows) headings.push_back(std::to_string(row.round));
  begin_table(html, "Pictures of one noise seed along the rounds", headings);
  PagePictures pictures(series.store);
  size_t shown = 0;
  for (const int prompt : prompts_shown(plan)) {
    const std::string& text = plan.prompts[static_cast<size_t>(prompt)].text;
    html.open("tr").open("th", {{"scope", "row"}}).written(text).close();
    for (const auto& row : series.table.rows) {
      html.open("td");
      const PlannedCell* cell = picture_of(plan, static_cast<int>(row.round), prompt);
      if (cell && series.store.state(*cell) == CellState::whole) {
        const PagePicture picture = pictures.embedded(*cell);
        const bool is_small = std::max(picture.width, picture.height) <= small_picture_px;
        html.single("img", {{"src", picture.source},
                            {"alt", fmt::format("{}, round {}", text, row.round)},
                            {"class", is_small ? "pixelated" : ""},
                            {"width", std::to_string(is_small ? picture.width : thumbnail_px / 2)}});
        ++shown;
      }
      html.close();
    }
    html.close();
  }
  end_table(html);
  notices.insert(notices.end(), pictures.notices().begin(), pictures.notices().end());
  return shown;
}

void write_series(Html& html, const SeriesOfRounds& series, Page& page) {
  const RoundsTable& table = series.table;
  html.open("section", {{"id", table.reject}, {"aria-labelledby", table.reject + "-title"}});
  html.element("h2", reject_words(table.reject), {{"id", table.reject + "-title"}});
  if (!table.stopped.empty()) paragraph(html, "No more rounds: " + table.stopped + ".", "soft");
  sentences_list(html, table.faults);
  write_table(html, table);
  page.pictures += write_pictures(html, series, page.notices);
  html.close();
}

void write_methods(Html& html) {
  html.open("section", {{"id", "methods"}, {"aria-labelledby", "methods-title"}});
  html.element("h2", "What the numbers are", {{"id", "methods-title"}});
  sentences_list(
      html,
      {"Round 0 is the run's own arm. The LoRA of each further round goes on from the one before and is trained on pictures of "
       "that round which were rejected.",
       "Win rate: the share of pairs of one prompt and noise seed that the round wins by the judge that did not choose, a tie "
       "counting half. A picture wins when its damage score is lower and its probability of the right object not lower by more "
       "than 0.05.",
       "Drift: mean difference of a picture to that of round 0 over all pixels, in levels of 0 to 255.",
       "Rejects come from the prompts that are measured, under one word for all: a control with random rejects has seen the same "
       "prompts. Everything speaks of these LoRAs, one training each, on prompts like these; no interval is adjusted for how "
       "many "
       "there are."});
  html.close();
}

// Later rounds are told over earlier ones.
std::optional<WinRate> rate_of(const PeopleVerdict& people, int round, int other) {
  for (const auto& comparison : people.comparisons)
    if (comparison.rate.first == fmt::format("round-{}", round) && comparison.rate.second == fmt::format("round-{}", other))
      return comparison.rate;
  return {};
}

std::optional<Estimate> line_of(const Differences& differences, int arm, const char* metric, const AnalysisPlan& analysis) {
  const MetricDifference difference = differences.compare(arm, 0, metric);
  const Estimate* line = verdict_line(difference, analysis);
  return line ? std::optional(*line) : std::nullopt;
}

}  // namespace

void measure_rounds(RoundsTable& table, const RunStore& store, const CancelToken& cancel) {
  const RunPlan& plan = *store.frozen();
  const RunRecords records = read_run(store, plan, cancel);
  const Differences differences(plan, records);
  const PeopleVerdict people = table.people_chose() ? PeopleVerdict() : read_people(store, plan, records);
  for (auto& row : table.rows) {
    const int arm = static_cast<int>(row.round);
    row.damage = differences.mean(arm, "damage");
    row.right_object = differences.mean(arm, "right_object");
    if (row.round == 0) continue;
    row.drift = differences.mean(arm, "difference");
    row.damage_change = line_of(differences, arm, "damage", plan.analysis);
    row.right_object_change = line_of(differences, arm, "right_object", plan.analysis);
    row.people_over_first = rate_of(people, arm, 0);
    row.people_over_before = rate_of(people, arm, arm - 1);
  }
  table.faults = records.faults;
}

Page make_rounds_page(const std::string& run_name, const std::string& arm, const std::vector<SeriesOfRounds>& series) {
  Page page;
  Html html;
  begin_page(html, run_name + ": rounds");
  html.open("body").open("header");
  html.open("h1").text("Rounds of rejecting: ").written(run_name).close();
  html.open("p", {{"class", "soft"}}).text("From the arm ").written(arm).text(".").close().close();
  html.open("main");
  html.open("section", {{"id", "curves"}, {"aria-labelledby", "curves-title"}});
  html.element("h2", "Along the rounds", {{"id", "curves-title"}});
  write_curves(html, series);
  html.close();
  for (const auto& one : series) write_series(html, one, page);
  write_methods(html);
  html.close();
  html.open("footer").element("p", "Made by negativa from the run folders' records alone.", {{"class", "soft"}}).close();
  html.close().close();
  page.html = html.take() + "\n";
  return page;
}

}  // namespace negativa
