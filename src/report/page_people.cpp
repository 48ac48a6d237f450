// What people said, beside the judge's verdict.
#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "report/page_sections.h"
#include "report/plots.h"
#include "stats/words.h"

namespace negativa {

namespace {

std::string rater_text(const std::string& name) { return name.empty() ? "not named" : name; }
std::string share_cell(double share) { return number_text(100 * share, 0) + " %"; }
std::string range_cell(const Interval& interval) { return share_cell(interval.low) + " to " + share_cell(interval.high); }

// Of the first arm, as the verdict's border has it.
std::string people_class(const WinRate& rate) { return !is_clear(rate) ? "" : rate.rate > 0.5 ? "better" : "worse"; }
std::string people_word(const WinRate& rate) {
  return !is_clear(rate) ? "not clear" : rate.rate > 0.5 ? "preferred" : "not preferred";
}

void write_comparison(Html& html, const PeopleComparison& comparison) {
  const WinRate& rate = comparison.rate;
  const auto number = [&](const std::string& text) { html.element("td", text, {{"class", "number"}}); };
  html.open("tr").open("th", {{"scope", "row"}}).written(arms_text(rate)).close();
  number(share_cell(rate.rate));
  html.element("td", rate.interval ? range_cell(*rate.interval) : "no interval: " + rate.why_absent, {{"class", "range"}});
  html.element("td", people_word(rate), {{"class", "says " + people_class(rate)}});
  for (const size_t count : {rate.pairs, rate.prompts}) number(std::to_string(count));
  for (const double count : {rate.wins, rate.losses, rate.ties})
    number(number_text(count, count == static_cast<double>(static_cast<size_t>(count)) ? 0 : 1));
  number(fmt::format("{} of {}", comparison.both_bad, comparison.answers));
  const Correlation& judge = comparison.judge;
  number(judge.value ? signed_text(*judge.value, 2) : "–");
  html.element("td",
               judge.interval ? fmt::format("{} to {}", signed_text(judge.interval->low, 2), signed_text(judge.interval->high, 2))
                              : judge.why_absent,
               {{"class", "range"}});
  number(judge.points > 0 ? std::to_string(judge.points) : "");
  html.close();
}

void write_comparisons_of_people(Html& html, const PageRun& run, const PeopleVerdict& people) {
  const std::string level = percent_text(run.plan.analysis.level);
  begin_table(html, "What people preferred",
              {"Comparison", "Pairs won, ties half", level + " interval", "Says", "Pairs", "Prompts", "Won", "Lost", "Ties",
               "Both bad, answers", "Judge, Spearman", level + " interval", "Prompts measured"});
  for (const auto& comparison : people.comparisons) write_comparison(html, comparison);
  end_table(html);
  if (people.comparisons.size() > 1)
    paragraph(html, "Each interval holds by itself; none is adjusted for how many they are.", "soft");
}

std::string tie_text(const Strengths& strengths) {
  return *strengths.tie == 0 ? "There are no ties."
                             : fmt::format("Ties: of two arms of equal strength {} of pairs are ties.",
                                           share_cell(*strengths.tie / (2 + *strengths.tie)));
}

void write_strengths(Html& html, const PageRun& run, const Strengths& strengths) {
  html.element("h3", "Strength of every rated arm");
  if (!strengths.tie) return paragraph(html, "No strengths: " + strengths.why_absent + ".");
  std::vector<Strength> arms = strengths.arms;
  std::stable_sort(arms.begin(), arms.end(), [](const auto& a, const auto& b) { return a.log_strength > b.log_strength; });
  Forest forest{"Forest plot: strength of every rated arm",           {""},     {{}},
                "logarithm of the strength, 0: the mean of the arms", "weaker", "stronger"};
  for (const auto& arm : arms)
    forest.groups[0].push_back({arm.arm, "", arm.log_strength, arm.interval, {}, signed_text(arm.log_strength, 2)});
  html.open("figure");
  draw(html, forest);
  html.close();
  begin_table(html, "Strengths, Davidson's extension of Bradley and Terry",
              {"Arm", "Logarithm of the strength", percent_text(run.plan.analysis.level) + " interval", "Pairs"});
  for (const auto& arm : arms) {
    html.open("tr").open("th", {{"scope", "row"}}).written(arm.arm).close();
    html.element("td", signed_text(arm.log_strength, 2), {{"class", "number"}});
    html.element("td",
                 arm.interval ? fmt::format("{} to {}", signed_text(arm.interval->low, 2), signed_text(arm.interval->high, 2))
                              : "no interval: " + strengths.why_absent,
                 {{"class", "range"}});
    html.element("td", number_text(arm.pairs, 0), {{"class", "number"}}).close();
  }
  end_table(html);
  paragraph(html, "An arm wins against another with the odds of their strengths, ties apart. " + tie_text(strengths), "soft");
}

void write_raters(Html& html, const PeopleVerdict& people) {
  begin_table(html, "Who rated, to the end", {"Rater", "Pairs", "Consistency: the same of swapped pairs"});
  for (const auto& rater : people.raters) {
    html.open("tr").open("th", {{"scope", "row"}}).written(rater_text(rater.name)).close();
    html.element("td", std::to_string(rater.answers), {{"class", "number"}});
    html.element("td", share_text(rater.consistency)).close();
  }
  end_table(html);
}

void write_unfinished(Html& html, const PeopleVerdict& people) {
  if (people.unfinished.empty()) return;
  begin_table(html, "Not rated to the end, so nothing of it is counted", {"Rater", "Arms", "Answered"});
  for (const auto& one : people.unfinished) {
    html.open("tr").open("th", {{"scope", "row"}}).written(rater_text(one.rater)).close();
    html.open("td").written(joined(one.arms, ", ")).close();
    html.element("td", fmt::format("{} of {}", one.answered, one.shown), {{"class", "number"}}).close();
  }
  end_table(html);
}

}  // namespace

void write_people(Html& html, const PageRun& run) {
  const PeopleVerdict& people = run.options.people;
  if (people.has_verdict()) {
    for (const auto& comparison : people.comparisons)
      html.open("p", {{"class", &comparison == &people.comparisons.front() ? "verdict " + people_class(comparison.rate) : ""}})
          .written(preference_sentence(people, comparison))
          .close();
    sentences_list(html, sentences(people));
    write_comparisons_of_people(html, run, people);
    write_strengths(html, run, people.strengths);
    write_raters(html, people);
  } else {
    html.open("p", {{"class", "verdict "}}).written(short_sentence(people)).close();
  }
  write_unfinished(html, people);
  if (!people.notices.empty()) {
    html.open("div", {{"class", "faults"}}).element("p", "Of ratings.jsonl these are damaged, or not of this run:");
    sentences_list(html, people.notices);
    html.close();
  }
  paragraph(
      html,
      "Rated blind, in pairs of one prompt and noise seed, on sides by lot. A rating counts when its last pair is rated, which "
      "its plan numbered beforehand. Intervals speak of prompts like these and these eyes: not of other people, and, where a "
      "LoRA is in the arm, not of another training of it.",
      "soft");
}

}  // namespace negativa
