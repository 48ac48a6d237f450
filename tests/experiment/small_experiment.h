#pragma once
// An experiment of the bundled model in a folder of the running test, planned and not begun.
#include <algorithm>

#include "base/temporary_folder.h"
#include "engine/test_engine.h"
#include "experiment/makers.h"

namespace negativa::test {

class SmallExperiment {
 public:
  explicit SmallExperiment(const std::string& toml) : toml_(toml) {}

  const TemporaryFolder place;
  EventSink silence;
  const CancelToken never;

  // The number of the only cell of that stage and name.
  size_t cell(CellStage stage, const std::string& name, int training = 0) const {
    const auto found = cells(stage, name, training);
    if (found.size() != 1) throw std::runtime_error(fmt::format("{} cells of {} {}", found.size(), stage_name(stage), name));
    return found.front();
  }
  // `name`: of the arm where the cell belongs to one. Training -1: any.
  std::vector<size_t> cells(CellStage stage, const std::string& name, int training = -1) const {
    std::vector<size_t> found;
    for (size_t i = 0; i < plan.run.cells.size(); ++i) {
      const PlannedCell& cell = plan.run.cells[i];
      const std::string& of = cell.arm < 0 ? cell.name : plan.run.arms[static_cast<size_t>(cell.arm)].name;
      if (cell.stage == stage && of == name && (training < 0 || cell.training == training)) found.push_back(i);
    }
    return found;
  }

  // A cell and, where they are missing, those that it is made of.
  void make(RunStore& store, size_t cell) { make(store, cell, {silence, never}); }
  void make(RunStore& store, size_t cell, const Caller& caller) {
    const PlannedCell& planned = plan.run.cells[cell];
    if (store.state(planned) == CellState::whole) return;
    for (const size_t input : planned.inputs) make(store, input, caller);
    make_alone({engine(), plan, store, caller}, planned.stage, cell);
  }
  static void make_alone(const MakerRun& run, CellStage stage, size_t cell) {
    if (stage == CellStage::picture || stage == CellStage::set_picture) draw_pictures(run, {cell});
    if (stage == CellStage::set) write_set(run, cell);
    if (stage == CellStage::lora) train_lora_cell(run, cell);
    if (stage == CellStage::embedding) train_embedding_cell(run, cell);
    if (stage == CellStage::random_lora) make_random_lora(run, cell);
    if (stage == CellStage::merged_lora) make_merged_lora(run, cell);
    if (stage == CellStage::metrics) measure_pictures(run, {cell});
  }

  CellRecord record(const RunStore& store, size_t cell) const {
    const auto record = store.record(plan.run.cells[cell]);
    if (!record) throw std::runtime_error(plan.run.cells[cell].file + " is not whole");
    return *record;
  }
  std::filesystem::path path(const RunStore& store, size_t cell) const { return store.path(plan.run.cells[cell]); }

 private:
  ExperimentPlan planned() {
    const ExperimentFile file = parse_experiment(toml_, place / "small.toml");
    const Caller caller{silence, never};
    return plan_experiment(engine(), {file, plan_judge(engine(), file, {}, caller)}, caller);
  }

  const std::string toml_;

 public:
  const ExperimentPlan plan = planned();
};

}  // namespace negativa::test
