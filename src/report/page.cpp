#include "report/page.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/sha256.h"
#include "report/page_sections.h"
#include "stats/words.h"

extern "C" {  // page_assets.S
extern const char negativa_report_css_begin[], negativa_report_css_end[];
extern const char negativa_report_js_begin[], negativa_report_js_end[];
}

namespace negativa {

namespace {

constexpr size_t most_sampled_prompts = 24;

std::string_view style() { return {negativa_report_css_begin, negativa_report_css_end}; }
std::string_view script() { return {negativa_report_js_begin, negativa_report_js_end}; }

struct Section {
  const char *id, *title;
  void (*write)(Html&, const PageRun&);
};

constexpr Section sections[] = {
    {"verdict", "Verdict", write_verdict},
    {"people", "People", write_people},
    {"worse", "What got worse", write_worse},
    {"pictures", "Pictures", write_grid},
    {"comparisons", "Planned comparisons", write_comparisons},
    {"arms", "Every arm", write_arms},
    {"sweeps", "Sweeps: cfg × arm", write_sweeps},
    {"damages", "Damage by damage", write_damages},
    {"groups", "Group by group", write_groups},
    {"subjects", "Other prompts: the subject", write_other_lists},
    {"training", "Training curves", write_training},
    {"calibration", "Calibration", write_calibration},
    {"test-runs", "How often the test prompts were run", write_test_runs},
    {"methods", "Methods, settings, hashes", write_methods},
};

bool is_shown(const Section& section, const PageRun& run) {
  if (section.write == write_people) return !run.options.people.is_empty();
  if (section.write != write_other_lists) return true;
  return std::any_of(run.plan.arms.begin(), run.plan.arms.end(),
                     [&](const PlannedArm& arm) { return arm.list != run.arm(run.analysis.baseline).list && arm.sweep.empty(); });
}

// Bytes of a hexadecimal text.
std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

}  // namespace

void begin_page(Html& html, const std::string& title) {
  html.raw("<!DOCTYPE html>\n").open("html", {{"lang", "en"}}).open("head");
  html.single("meta", {{"charset", "utf-8"}});
  html.single("meta", {{"http-equiv", "Content-Security-Policy"}, {"content", page_policy()}});
  html.single("meta", {{"name", "viewport"}, {"content", "width=device-width, initial-scale=1"}});
  html.single("meta", {{"name", "color-scheme"}, {"content", "light dark"}});
  html.single("link", {{"rel", "icon"}, {"href", "data:,"}});
  html.element("title", title);
  html.open("style").raw(style()).close().close();
}

namespace {

void write_header(Html& html, const PageRun& run) {
  html.element("a", "To the verdict", {{"class", "skip"}, {"href", "#verdict"}});
  html.open("header");
  html.element("button", "Theme: auto", {{"id", "theme"}, {"class", "theme"}, {"type", "button"}, {"hidden", ""}});
  html.open("h1").text("Experiment ").written(run.plan.name).close();
  size_t measured = 0;
  for (const auto& picture : run.records.pictures) measured += picture.is_measured;
  paragraph(html,
            fmt::format("{} in {}, {} measured. Plan {}.", count_text(run.plan.prompts.size(), "prompt"),
                        count_text(run.plan.arms.size(), "arm"), count_text(measured, "picture"), run.plan.hash().substr(0, 16)),
            "soft");
  html.open("nav", {{"aria-label", "Sections"}}).open("details").element("summary", "Sections").open("ul");
  for (const auto& section : sections)
    if (is_shown(section, run)) html.open("li").element("a", section.title, {{"href", std::string("#") + section.id}}).close();
  html.close().close().close().close();
}

// Filled by the script.
void write_dialog(Html& html) {
  html.open("dialog", {{"id", "picture"}, {"aria-labelledby", "picture-title"}});
  html.open("div", {{"class", "bar"}})
      .element("h2", "", {{"id", "picture-title"}})
      .element("button", "Close", {{"id", "close"}, {"type", "button"}})
      .close();
  html.open("div", {{"class", "bar"}});
  for (const auto& [id, text] : {std::pair{"previous-arm", "Previous arm"},
                                 {"next-arm", "Next arm"},
                                 {"previous-prompt", "Previous prompt"},
                                 {"next-prompt", "Next prompt"}})
    html.element("button", text, {{"id", id}, {"type", "button"}});
  html.open("label").text("Beside it").element("select", "", {{"id", "partner"}}).close().close();
  html.element("div", "", {{"class", "pair"}, {"id", "pair"}});
  html.element("div", "", {{"class", "sides"}, {"id", "sides"}});
  html.single("input", {{"type", "range"},
                        {"id", "slider"},
                        {"min", "0"},
                        {"max", "100"},
                        {"value", "50"},
                        {"aria-label", "How much of each picture is shown"}});
  html.open("p").element("a", "The picture's file", {{"id", "file"}}).close();
  html.element(
      "div", "",
      {{"class", "scroll"}, {"id", "facts"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", "Settings and measurements"}});
  html.close();
}

Page written_page(const PageRun& run) {
  Html html;
  begin_page(html, run.plan.name + ": report");
  html.open("body");
  write_header(html, run);
  html.open("main");
  for (const auto& section : sections) {
    if (!is_shown(section, run)) continue;
    html.open("section", {{"id", section.id}, {"aria-labelledby", std::string(section.id) + "-title"}});
    html.element("h2", section.title, {{"id", std::string(section.id) + "-title"}});
    section.write(html, run);
    html.close();
  }
  html.close();
  html.open("footer").element("p", "Made by negativa from the run folder's records alone.", {{"class", "soft"}}).close();
  write_dialog(html);
  PageData data = page_data(run.store, run.plan, run.records, run.analysis, run.sample);
  html.open("script", {{"type", "application/json"}, {"id", "run-data"}}).raw(data.json).close();
  html.open("script").raw(script()).close();
  html.close().close();
  return {html.take() + "\n", std::move(data.notices), data.shown};
}

}  // namespace

// Nothing from elsewhere is loaded, and no script runs but the page's own, whatever a prompt may hold.
std::string page_policy() {
  const auto source = [](std::string_view text) { return "'sha256-" + base64(bytes_of(sha256_hex(text))) + "'"; };
  return fmt::format(
      "default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self' file: data:; style-src {}; script-src {}",
      source(style()), source(script()));
}

void begin_table(Html& html, const std::string& caption, const std::vector<std::string>& headings, const std::string& kind) {
  html.open("div", {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", caption}});
  html.open("table", {{"class", kind}}).element("caption", caption, {{"class", "soft"}}).open("thead").open("tr");
  for (const auto& heading : headings) html.open("th", {{"scope", "col"}}).written(heading).close();
  html.close().close().open("tbody");
}

void end_table(Html& html) { html.close().close().close(); }

void paragraph(Html& html, std::string_view text, const std::string& kind) { html.element("p", text, {{"class", kind}}); }

void sentences_list(Html& html, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  html.open("ul");
  for (const auto& line : lines) html.open("li").written(line).close();
  html.close();
}

std::string value_text(const Estimate& estimate) { return signed_text(estimate.mean, 3); }

std::string interval_text(const Estimate& estimate) {
  if (!estimate.inference) return "no interval: " + estimate.why_absent;
  const Interval& interval = estimate.inference->interval;
  return fmt::format("{} to {}", signed_text(interval.low, 3), signed_text(interval.high, 3));
}

std::string says_class(Says says) {
  if (says == Says::better || says == Says::worse || says == Says::trades) return says_word(says);
  return "";
}

Page make_page(const RunStore& store, const RunPlan& plan, const RunRecords& records, const Analysis& analysis,
               const PageOptions& options) {
  check(!plan.arms.empty(), ErrorKind::input, "[{}] has a plan without arms, expected at least one; is it an experiment's?",
        store.folder().string());
  const Differences differences(plan, records);
  if (!options.keep) return written_page({store, plan, records, analysis, options, differences, nullptr});
  for (size_t prompts = most_sampled_prompts;; prompts /= 2) {
    const Sample sample = sample_of(plan, records, analysis, prompts);
    Page page = written_page({store, plan, records, analysis, options, differences, &sample});
    if (page.html.size() <= most_kept_bytes || prompts == 0) return page;
  }
}

}  // namespace negativa
