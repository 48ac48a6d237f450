#include "jobs/compare_cells.h"

#include <algorithm>
#include <map>

#include "base/json.h"
#include "image/events.h"
#include "jobs/generate.h"
#include "jobs/without_effect.h"

namespace negativa {

namespace {

std::vector<PictureOptions> requests_of(const CompareOptions& options, const CompareBase& base) {
  check(base.draw.picture.prompt.has_value() || !options.prompts.empty(), ErrorKind::input,
        "[-p] a prompt is needed; try -p \"a big lion\"");
  if (options.prompts.empty()) return {base.draw.picture};
  return read_prompts(options.prompts, base.draw.picture);
}

std::vector<CompareRow> make_rows(const CompareOptions& options, const std::vector<PictureOptions>& requests) {
  std::vector<CompareRow> rows;
  for (const auto& request : requests) {
    const uint64_t first_seed = request.seed.value_or(0);  // fixed, so that the same command gives the same sheet
    for (uint64_t i = 0; i < static_cast<uint64_t>(options.seeds); ++i) {
      PictureOptions picture = request;
      picture.seed = seed_plus(first_seed, i);
      const std::string seed = fmt::format("seed {}", *picture.seed);
      rows.push_back({options.prompts.empty() ? seed : picture.prompt.value_or("") + ", " + seed, std::move(picture)});
    }
  }
  return rows;
}

// Cells of one model and its embeddings are drawn together.
void make_cells(Engine& engine, const Caller& caller, CompareGrid& comparison) {
  std::map<std::string, size_t> by_model;
  std::vector<std::pair<ModelOptions, size_t>> groups;  // how many pictures
  for (size_t row = 0; row < comparison.rows.size(); ++row)
    for (size_t column = 0; column < comparison.columns.size(); ++column) {
      DrawOptions draw{comparison.base.draw.model, comparison.rows[row].picture};
      comparison.columns[column].set(draw);
      const auto [found, is_new] = by_model.try_emplace(print_config(fields_of(draw.model)), groups.size());
      if (is_new) groups.emplace_back(draw.model, 0);
      ++groups[found->second].second;
      comparison.cells.push_back({row, column, std::move(draw), found->second});
    }
  for (const auto& [model, pictures] : groups)
    comparison.sessions.push_back(std::make_unique<Session>(engine, model, caller, pictures));
  comparison.model = comparison.sessions.front()->models().files().name;
}

// What decides a model's bytes, with every "auto" answered.
std::string model_text(const Session& session) {
  ModelOptions resolved = session.options();
  resolved.weights_dtype = session.weights_dtype();
  resolved.dtype = dtype_name(session.models().request().compute);
  resolved.device = session.device_name();
  return print_config(fields_of(resolved));
}

// What a column draws, each question answered: columns of the same text have the same pictures.
std::string pictures_of(CompareGrid& comparison, size_t column, const std::vector<std::string>& models) {
  std::string text;
  for (size_t row = 0; row < comparison.rows.size(); ++row) {
    CompareCell& cell = comparison.cell(row, column);
    PictureOptions resolved = comparison.sessions[cell.session]->resolved(cell.draw.picture);
    text += models[cell.session] + canonical_json(to_json(fields_of(resolved))) + "\n";
  }
  return text;
}

// For each column the name of the one of its arm that draws the same and stands before it; empty: there is none.
std::vector<std::string> columns_before(CompareGrid& comparison) {
  std::vector<std::string> models, before;
  for (const auto& session : comparison.sessions) models.push_back(model_text(*session));
  std::map<std::string, std::string> names;  // by arm and pictures
  for (size_t i = 0; i < comparison.columns.size(); ++i) {
    const CompareColumn& column = comparison.columns[i];
    const auto [same, is_new] =
        names.try_emplace(fmt::format("{} ", column.plain) + pictures_of(comparison, i, models), column.name);
    before.push_back(is_new ? "" : same->second);
  }
  return before;
}

void keep_columns(CompareGrid& comparison, const std::vector<bool>& keep) {
  std::vector<CompareCell> cells;
  for (auto& cell : comparison.cells)
    if (keep[cell.column]) cells.push_back(std::move(cell));
  comparison.cells = std::move(cells);
  std::vector<CompareColumn> columns;
  std::vector<size_t> numbers;  // new ones
  for (size_t i = 0; i < keep.size(); ++i) {
    numbers.push_back(columns.size());
    if (keep[i]) columns.push_back(std::move(comparison.columns[i]));
  }
  for (auto& column : columns) column.plain = numbers[column.plain];
  for (auto& cell : comparison.cells) cell.column = numbers[cell.column];
  comparison.columns = std::move(columns);
}

// Of each arm, the first of columns that draw the same stays.
void drop_same_columns(CompareGrid& comparison, bool has_axes, EventSink& events) {
  const auto before = columns_before(comparison);
  std::vector<bool> keep;
  std::set<size_t> arms;
  for (size_t i = 0; i < before.size(); ++i) {
    keep.push_back(before[i].empty());
    arms.insert(comparison.columns[i].plain);
  }
  const auto kept = static_cast<size_t>(std::count(keep.begin(), keep.end(), true));
  check(!has_axes || kept > arms.size(), ErrorKind::input,
        "[--axis] varies nothing: its values are what the pictures have already");
  for (size_t i = 0; i < before.size(); ++i)
    if (!keep[i])
      events.on_notice(
          fmt::format("{} is what {} draws already, and has no column of its own", comparison.columns[i].name, before[i]));
  keep_columns(comparison, keep);
}

// Plans all, and says what is worth a line.
void plan_cells(CompareGrid& comparison, const CompareOptions& options, const Caller& caller) {
  std::vector<std::vector<PictureOptions>> asked(comparison.sessions.size());
  for (const auto& cell : comparison.cells) asked[cell.session].push_back(cell.draw.picture);
  for (size_t i = 0; i < asked.size(); ++i) say_notices(*comparison.sessions[i], asked[i]);
  for (auto& cell : comparison.cells) cell.plan = comparison.sessions[cell.session]->plan(cell.draw.picture);
  note_effects(comparison, options.typed, caller.events);
  for (size_t i = 0; i < asked.size(); ++i) {
    std::vector<AskedPicture> pictures;
    for (const size_t number : comparison.cells_of(i))
      pictures.push_back({comparison.cells[number].draw.picture, comparison.cells[number].plan});
    note_webui_syntax(*comparison.sessions[i], pictures);
  }
}

}  // namespace

std::vector<size_t> CompareGrid::cells_of(size_t session) const {
  std::vector<size_t> numbers;
  for (size_t i = 0; i < cells.size(); ++i)
    if (cells[i].session == session) numbers.push_back(i);
  return numbers;
}

CompareGrid make_comparison(Engine& engine, const CompareOptions& options, const Caller& caller) {
  CompareGrid comparison;
  comparison.base = compare_base(options, caller.events);
  const auto requests = requests_of(options, comparison.base);
  comparison.rows = make_rows(options, requests);
  comparison.columns = compare_columns(options, comparison.base, requests, caller.events);
  make_cells(engine, caller, comparison);
  drop_same_columns(comparison, !options.axis.empty(), caller.events);
  plan_cells(comparison, options, caller);
  return comparison;
}

}  // namespace negativa
