#include "experiment/make_cells.h"

#include "base/files.h"
#include "base/names.h"

namespace negativa {

CellRecord begun_record(const MakerRun& run, size_t cell) {
  CellRecord record;
  record.recipe_json = run.plan.recipe_json[cell];
  record.inputs = run.plan.outside[cell];
  for (const size_t input : run.plan.run.cells[cell].inputs) record.inputs.push_back(input_of(run, input));
  return record;
}

RecipeInput input_of(const MakerRun& run, size_t cell) {
  const PlannedCell& made = run.plan.run.cells[cell];
  return {stage_name(made.stage), run.store.path(made).filename().string(),
          run.store.checked_record(made, &run.caller.cancel).sha256};
}

void adopt_written(const MakerRun& run, size_t cell, CellRecord record,
                   const std::function<void(const std::filesystem::path&)>& write) {
  const PlannedCell& planned = run.plan.run.cells[cell];
  const auto file = run.store.folder() / names::work_folder / run.store.path(planned).filename();
  make_folder(file.parent_path());
  write(file);
  run.store.adopt(planned, file, std::move(record));
  std::filesystem::remove(file);
}

}  // namespace negativa
