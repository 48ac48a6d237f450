#include "jobs/compare.h"

#include <algorithm>

#include "base/files.h"
#include "image/cut_sheets.h"
#include "io/image_tensor.h"
#include "jobs/compare_cells.h"
#include "jobs/generate.h"
#include "jobs/job.h"

namespace negativa {

namespace {

bool has_one_size(const CompareGrid& comparison) {
  return std::all_of(comparison.cells.begin(), comparison.cells.end(), [&](const CompareCell& cell) {
    const Plan& first = comparison.cell(cell.row, 0).plan;
    return cell.plan.width_px == first.width_px && cell.plan.height_px == first.height_px;
  });
}

// Steps and scales are those of the first column and row: a prompts file may change them from line to line.
std::string caption_of(const CompareOptions& options, const CompareGrid& comparison) {
  const PictureOptions& picture = comparison.cell(0, 0).draw.picture;
  const auto& negative_scale = comparison.rows.front().picture.negative_scale;
  const std::string apart = negative_scale ? fmt::format(", negative scale {}", *negative_scale) : "";
  const std::string noise =
      has_one_size(comparison) ? same_noise_along_a_row : "the same seed along a row; pictures of another size have other noise";
  const std::string legend = legend_of(options, comparison.base, comparison.columns);
  return fmt::format("{}, {} steps, cfg {}{}, {}{}{}", comparison.model, picture.steps, picture.cfg_scale, apart, noise,
                     legend.empty() ? "" : "; ", legend);
}

std::string title_of(const CompareOptions& options, const CompareBase& base) {
  if (options.prompts.empty()) return base.draw.picture.prompt.value_or("");
  return base.file ? base.file->path.stem().string() : "Negative word and LoRA";
}

std::vector<Plan> plans_of(const CompareGrid& comparison, const std::vector<size_t>& cells) {
  std::vector<Plan> plans;
  for (const size_t cell : cells) plans.push_back(comparison.cells[cell].plan);
  return plans;
}

// Models are let go of one after another, so that no two need be in memory.
void draw_cells(CompareGrid& comparison, const Caller& caller, std::vector<std::vector<Image8>>& pictures) {
  pictures.assign(comparison.rows.size(), std::vector<Image8>(comparison.columns.size()));
  for (size_t i = 0; i < comparison.sessions.size(); ++i) {
    const auto numbers = comparison.cells_of(i);
    const auto plans = plans_of(comparison, numbers);
    if (!plans.empty())
      comparison.sessions[i]->draw(plans, "compare", [&](size_t picture, ImageResult&& result) {
        const CompareCell& cell = comparison.cells[numbers[picture]];
        Image8& image = pictures[cell.row][cell.column] = tensor_to_images(result.image).front();
        caller.events.on_picture({numbers[picture], {}, image});
      });
    comparison.sessions[i].reset();
  }
}

PictureGrid grid_of(const CompareOptions& options, const CompareGrid& comparison, const CompareReport& report) {
  PictureGrid grid;
  grid.title = title_of(options, comparison.base);
  grid.caption = caption_of(options, comparison);
  grid.column_labels = report.arms;
  for (const auto& row : comparison.rows) grid.row_labels.push_back(row.label);
  grid.picture = [&](size_t row, size_t column) { return report.pictures[row][column]; };
  for (const auto& row : report.pictures)
    for (const auto& picture : row) {
      grid.picture_width = std::max(grid.picture_width, picture.width);
      grid.picture_height = std::max(grid.picture_height, picture.height);
    }
  return grid;
}

CompareForecast forecast_now(Engine& engine, const CompareOptions& options, const Caller& caller) {
  const CompareGrid comparison = make_comparison(engine, options, caller);
  std::vector<PicturesForecast> forecasts;
  for (size_t i = 0; i < comparison.sessions.size(); ++i)
    if (const auto plans = plans_of(comparison, comparison.cells_of(i)); !plans.empty())
      forecasts.push_back(forecast_pictures(*comparison.sessions[i], plans));
  std::vector<std::string> arms;
  for (const auto& column : comparison.columns) arms.push_back(column.name);
  return {one_after_another(forecasts), options.out, arms, static_cast<int64_t>(comparison.rows.size())};
}

CompareReport compare_now(Engine& engine, const CompareOptions& options, const Caller& caller) {
  check_png_name(options.out);
  check_can_write(options.out);
  CompareGrid comparison = make_comparison(engine, options, caller);
  CompareReport report;
  for (const auto& column : comparison.columns) report.arms.push_back(column.name);
  for (const auto& row : comparison.rows) {
    report.prompts.push_back(row.picture.prompt.value_or(""));
    report.seeds.push_back(*row.picture.seed);
  }
  draw_cells(comparison, caller, report.pictures);
  const PictureGrid grid = grid_of(options, comparison, report);
  cut_sheets(grid, caller.cancel, [&](const CutSheet& sheet) {
    const std::string name = options.out.stem().string() + sheet.suffix + options.out.extension().string();
    report.files.push_back(options.out.parent_path() / name);
    write_atomically(report.files.back(), encode_png(sheet.image, {{"Title", sheet.title}, {"Description", grid.caption}}));
  });
  return report;
}

}  // namespace

CompareForecast forecast_compare(Engine& engine, const CompareOptions& options, EventSink& sink, const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return forecast_now(engine, options, caller); });
}

CompareReport compare(Engine& engine, const CompareOptions& options, EventSink& sink, const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return compare_now(engine, options, caller); });
}

}  // namespace negativa
