#pragma once
// What `negativa compare` draws: rows of prompts and seeds, columns of arms and axes.
#include <memory>

#include "engine/session.h"
#include "jobs/compare_columns.h"

namespace negativa {

struct CompareRow {
  std::string label;
  PictureOptions picture;  // at one seed, without any arm
};

struct CompareCell {
  size_t row, column;
  DrawOptions draw;
  size_t session;  // that draws it
  Plan plan = {};
};

struct CompareGrid {
  CompareBase base;
  std::vector<CompareRow> rows;
  std::vector<CompareColumn> columns;
  std::vector<CompareCell> cells;                  // row by row
  std::vector<std::unique_ptr<Session>> sessions;  // one for each model and its embeddings
  std::string model;                               // name of the first

  CompareCell& cell(size_t row, size_t column) { return cells[row * columns.size() + column]; }
  const CompareCell& cell(size_t row, size_t column) const { return cells[row * columns.size() + column]; }
  std::vector<size_t> cells_of(size_t session) const;  // numbers
};

// Checks and plans everything before the first step, and says in notices what has no effect. Loads no weights but those of LoRAs
// and embeddings. Throws as compare() does.
CompareGrid make_comparison(Engine& engine, const CompareOptions& options, const Caller& caller);

// Says which options have no effect. One of the command line has an effect where it has one in any column that does not set it
// itself; one of an arm or axis has to have it in its own column. `typed`: as CompareOptions::typed.
void note_effects(const CompareGrid& comparison, const std::set<std::string>& typed, EventSink& events);

}  // namespace negativa
