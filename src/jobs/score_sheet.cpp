#include <algorithm>

#include "image/sheet.h"
#include "jobs/score.h"

namespace negativa {

namespace {

constexpr size_t rows_a_kind = 4;

// RFC 4180: quotes where they are needed.
std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

// What pictures are ordered by: the damage score where there is one, else the first metric that has a better side.
std::optional<size_t> leading_metric(const ScoreReport& report) {
  std::optional<size_t> first;
  for (size_t m = 0; m < report.metrics.size(); ++m) {
    if (report.metrics[m].name == "damage") return m;
    if (!first && report.metrics[m].better != Better::neither) first = m;
  }
  return first;
}

struct Pick {
  std::string kind;
  const PictureScores* picture;
  double value;
};

// The rows of a kind: pictures of the last set with a value, the greatest `rank` first.
void pick(const ScoreReport& report, size_t metric, const std::string& kind, double sign, std::vector<Pick>& picks) {
  std::vector<Pick> all;
  for (const auto& picture : report.sets.back().pictures)
    if (picture.values[metric]) all.push_back({kind, &picture, *picture.values[metric]});
  std::stable_sort(all.begin(), all.end(), [sign](const Pick& a, const Pick& b) { return sign * a.value > sign * b.value; });
  all.resize(std::min(all.size(), rows_a_kind));
  picks.insert(picks.end(), all.begin(), all.end());
}

// The picture of that caption and seed, or nothing.
Image8 partner_of(const SetScores& set, const ScoredFile& file, EventSink& events) {
  for (const auto& picture : set.pictures)
    if (picture.file.caption == file.caption && picture.file.seed == file.seed) return picture_of(picture.file.path, events);
  return {};
}

}  // namespace

std::string score_csv(const ScoreReport& report) {
  std::string text = "folder,file,prompt,seed,width,height";
  for (const auto& metric : report.metrics) text += "," + metric.name;
  text += "\n";
  for (const auto& set : report.sets)
    for (const auto& picture : set.pictures) {
      text += fmt::format("{},{},{},{},{},{}", csv_text(set.name), csv_text(picture.file.name), csv_text(picture.file.caption),
                          picture.file.seed ? std::to_string(*picture.file.seed) : "", picture.width, picture.height);
      for (const auto& value : picture.values) text += value ? fmt::format(",{}", *value) : ",";
      text += "\n";
    }
  return text;
}

Image8 score_sheet(const ScoreReport& report, EventSink& events) {
  const auto leading = leading_metric(report);
  check(leading.has_value(), ErrorKind::input,
        "[--sheet] none of the metrics says what is better; add clip_score or damage to --metrics");
  const Metric& metric = report.metrics[*leading];
  const double better = metric.better == Better::higher ? 1 : -1;
  std::vector<Pick> picks;
  pick(report, *leading, "best", better, picks);
  pick(report, *leading, "worst", -better, picks);
  for (size_t m = 0; m < report.metrics.size(); ++m)
    if (report.metrics[m].needs.baseline) pick(report, m, "most changed", 1, picks);
  Sheet sheet;
  sheet.title = fmt::format("By {}", metric.name);
  sheet.caption = fmt::format("judge {}{}", report.judge,
                              metric.name == "damage" && !report.basis.uncalibrated.empty() ? ", uncalibrated" : "");
  for (const auto& set : report.sets) sheet.column_labels.push_back(set.name);
  for (const auto& row : picks) {
    sheet.row_labels.push_back(fmt::format("{} ({:.3g}): {}", row.kind, row.value, row.picture->file.caption));
    std::vector<Image8> cells;
    for (size_t s = 0; s + 1 < report.sets.size(); ++s) cells.push_back(partner_of(report.sets[s], row.picture->file, events));
    cells.push_back(picture_of(row.picture->file.path, events));
    sheet.cells.push_back(std::move(cells));
  }
  return labelled_sheet(sheet);
}

}  // namespace negativa
