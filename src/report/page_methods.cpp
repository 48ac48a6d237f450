// How it was done: trainings, calibration, test runs, methods, settings, how to make it again.
#include <algorithm>
#include <cmath>
#include <sstream>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/text.h"
#include "report/page_sections.h"
#include "report/plots.h"
#include "stats/words.h"

namespace negativa {

namespace {

constexpr size_t most_points = 30;  // of a curve
constexpr uint64_t most_losses_bytes = 64 << 20;

struct Course {
  std::string name;
  std::vector<PlotPoint> losses;  // step, mean loss of as many steps as fall together
  size_t steps = 0;
  double first = 0, last = 0;  // mean of the first and last tenth
};

// step,loss,learning_rate,gradient_norm; lines that are no numbers are passed over.
std::vector<PlotPoint> read_losses(const fs::path& file) {
  std::vector<PlotPoint> points;
  std::istringstream lines(read_file(file, most_losses_bytes));
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(','), second = line.find(',', first + 1);
    if (first == std::string::npos) continue;
    const auto step = number_from(line.substr(0, first)), loss = number_from(line.substr(first + 1, second - first - 1));
    if (step && loss) points.push_back({*step, *loss});
  }
  return points;
}

double mean_loss(const std::vector<PlotPoint>& points, size_t begin, size_t end) {
  double sum = 0;
  for (size_t i = begin; i < end; ++i) sum += points[i].y;
  return sum / static_cast<double>(std::max<size_t>(1, end - begin));
}

Course course_of(const std::string& name, const std::vector<PlotPoint>& points) {
  Course course{name, {}, points.size(), 0, 0};
  const size_t window = (points.size() + most_points - 1) / most_points, tenth = std::max<size_t>(1, points.size() / 10);
  for (size_t i = 0; i < points.size(); i += window) {
    const size_t end = std::min(points.size(), i + window);
    course.losses.push_back({points[end - 1].x, mean_loss(points, i, end)});
  }
  course.first = mean_loss(points, 0, std::min(tenth, points.size()));
  course.last = mean_loss(points, points.size() - std::min(tenth, points.size()), points.size());
  return course;
}

// What trainings left in the work folder, which may be deleted.
std::vector<Course> courses_of(const PageRun& run, std::vector<std::string>& unread) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(run.store.folder() / names::work_folder, error))
    if (entry.path().extension() == names::run_suffix && fs::exists(entry.path() / names::losses_csv))
      files.push_back(entry.path() / names::losses_csv);
  std::sort(files.begin(), files.end());
  std::vector<Course> courses;
  for (const auto& file : files) try {
      const auto points = read_losses(file);
      if (!points.empty()) courses.push_back(course_of(file.parent_path().stem().string(), points));
    } catch (const Error& one) {
      unread.push_back(one.what());
    }
  return courses;
}

// "wrong" of "wrong-t0-3ee34fda".
std::string name_of_training(const std::string& folder) {
  const size_t at = folder.rfind("-t");
  return at == std::string::npos || at == 0 ? folder : folder.substr(0, at);
}

// Rows "key, value" of a nested object: "loras.wrong.rank".
void add_settings(std::vector<std::pair<std::string, std::string>>& rows, const std::string& path, const Json& value) {
  if (value.is_object() && !value.empty()) {
    for (const auto& [key, inner] : value.items()) add_settings(rows, path.empty() ? key : path + "." + key, inner);
    return;
  }
  rows.emplace_back(path, value.is_string() ? value.get<std::string>() : value.dump());
}

void write_pairs(Html& html, const std::string& caption, const std::vector<std::string>& headings,
                 const std::vector<std::vector<std::string>>& rows) {
  begin_table(html, caption, headings, "settings");
  for (const auto& row : rows) {
    html.open("tr").open("th", {{"scope", "row"}}).written(row.front()).close();
    for (size_t i = 1; i < row.size(); ++i) html.open("td").written(row[i]).close();
    html.close();
  }
  end_table(html);
}

void write_calibration_json(Html& html, const Json& json, const std::vector<std::string>& counted) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& one : get_list(json, "damages", "calibration")) {
    const auto damage = get<std::string>(one, "damage", "calibration");
    const bool counts = std::find(counted.begin(), counted.end(), damage) != counted.end();
    rows.push_back({damage, number_text(get<double>(one, "auc_reference", "calibration"), 3),
                    number_text(get<double>(one, "auc_drawn", "calibration"), 3), counts ? "yes" : "no"});
  }
  paragraph(html, fmt::format("Judge {}, model {}: the area under the curve is the chance that a picture with the damage has the "
                              "higher probability of it.",
                              get<std::string>(json, "judge", "calibration"), get<std::string>(json, "model", "calibration")));
  write_pairs(html, "Calibration", {"Damage", "Reference pictures", "Drawn pictures", "Counts in the score"}, rows);
}

std::string total_time(const PageRun& run) {
  double seconds = 0;
  std::vector<bool> seen_file;
  std::map<std::string_view, double> of_file;
  for (size_t i = 0; i < run.plan.cells.size(); ++i) of_file[run.plan.cells[i].file] = run.records.cells[i].seconds;
  for (const auto& [file, spent] : of_file) seconds += spent;
  return fmt::format("{:.0f} s of work are in the folder's records.", seconds);
}

void write_machines(Html& html, const PageRun& run) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, cells] : run.records.machines)
    rows.push_back({name.empty() ? "not named" : name, "processor", std::to_string(cells)});
  for (const auto& [name, cells] : run.records.versions)
    rows.push_back({name.empty() ? "not named" : name, "program", std::to_string(cells)});
  write_pairs(html, "Processors and program versions", {"Name", "What", "Cells made"}, rows);
}

}  // namespace

void write_training(Html& html, const PageRun& run) {
  std::vector<std::string> unread;
  const auto courses = courses_of(run, unread);
  sentences_list(html, unread);
  if (courses.empty())
    return paragraph(html, "No losses are in the run folder: nothing was trained, or its folder work was removed.");
  std::map<std::string, LinePlot> plots;  // trainings of one name together
  std::vector<std::vector<std::string>> rows;
  for (const auto& course : courses) {
    LinePlot& plot = plots[name_of_training(course.name)];
    plot.lines.push_back({course.name, course.losses});
    rows.push_back({course.name, std::to_string(course.steps), number_text(course.first, 4), number_text(course.last, 4)});
  }
  for (auto& [name, plot] : plots) {
    plot.title = "Loss of " + name + " over its steps";
    plot.x_axis = "step";
    plot.y_axis = fmt::format("loss of {}, means of neighbouring steps", name);
    html.open("figure");
    draw(html, plot);
    html.close();
  }
  write_pairs(html, "Trainings", {"Training", "Steps", "Mean loss of the first tenth", "Of the last tenth"}, rows);
}

void write_calibration(Html& html, const PageRun& run) {
  if (!run.plan.uncalibrated.empty()) paragraph(html, "Uncalibrated: " + run.plan.uncalibrated + ".");
  if (!run.plan.damages.empty())
    paragraph(html,
              fmt::format("Damages that count in the damage score, as frozen in the plan: {}.", joined(run.plan.damages, ", ")));
  std::string text = run.options.calibration_json;
  for (const auto& cell : run.plan.cells)
    if (cell.stage == CellStage::calibration && run.store.state(cell) == CellState::whole)
      text = read_file(run.store.path(cell), most_losses_bytes);
  if (text.empty())
    return paragraph(html, "Its numbers are not in the run folder; they lie beside the judge, in calibration.json.");
  try {
    write_calibration_json(html, parse_json(text, "calibration"), run.plan.damages);
  } catch (const Error& error) {
    paragraph(html, std::string("The calibration cannot be read: ") + error.what());
  }
}

void write_test_runs(Html& html, const PageRun& run) {
  if (!run.plan.counts_test_run) return paragraph(html, "This run draws no test prompts: it neither peeks nor counts.");
  if (!run.options.test_runs)
    return paragraph(
        html, "Not known to this page: the count stands in test_runs.jsonl beside the TOML; --toml FILE tells where that is.");
  paragraph(html, fmt::format("{} of plans with different hashes have looked at these test prompts, this one among them.",
                              count_text(*run.options.test_runs, "run")));
}

void write_methods(Html& html, const PageRun& run) {
  const std::string hash = run.plan.hash();
  paragraph(
      html,
      fmt::format(
          "The unit is the prompt: noise seeds are averaged first, and arms are compared picture by picture, same prompt and "
          "same noise. “These LoRAs” is Student's t over prompts, trainings averaged; “LoRAs made this way” takes prompts and "
          "trainings as samples both (two-way random effects, Satterthwaite). The verdict and Holm use “{}”, as the plan says, "
          "where there are at least {} trainings. With fewer than five trainings that line's intervals are too narrow, so p must "
          "be below a fifth of {:.2g} to be called a finding. An arm whose guard interval, of either line, is wholly on the "
          "worse side is not called better: it trades. Everything outside the planned comparisons is exploratory and unadjusted.",
          run.plan.analysis.claim == "made_this_way" ? "LoRAs made this way" : "these LoRAs", least_trainings,
          1 - run.plan.analysis.level));
  html.element("h3", "To make it again");
  html.element("pre",
               fmt::format("negativa experiment run {0}.toml -o runs/{0}\nnegativa experiment report runs/{0}", run.plan.name));
  paragraph(html, "Plan: " + hash);
  html.open("details").element("summary", count_text(run.plan.inputs.size(), "file") + " from outside, with their hashes");
  write_pairs(html, "Hashes", {"What", "Name", "SHA-256"}, [&] {
    std::vector<std::vector<std::string>> rows;
    for (const auto& input : run.plan.inputs) rows.push_back({input.role, input.name, input.sha256});
    return rows;
  }());
  html.close();
  std::vector<std::string> seeds;
  for (const uint64_t seed : run.plan.base_seeds) seeds.push_back(std::to_string(seed));
  paragraph(html, "Base seeds of noise: " + joined(seeds, ", ") + ". " + total_time(run));
  write_machines(html, run);
  html.element("h3", "Every setting");
  std::vector<std::pair<std::string, std::string>> settings;
  add_settings(settings, "", parse_json(run.plan.config_json, "configuration of the plan"));
  html.open("details").element("summary", count_text(settings.size(), "setting") + ", defaults included");
  std::vector<std::vector<std::string>> rows;
  for (const auto& [key, value] : settings) rows.push_back({key, value});
  write_pairs(html, "Every setting", {"Key", "Value"}, rows);
  html.close();
  html.open("details").element("summary", "The TOML as it stood").open("pre").written(run.plan.toml).close().close();
}

}  // namespace negativa
