#include "experiment/run_experiment.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "base/files.h"
#include "base/names.h"
#include "experiment/makers.h"
#include "experiment/test_runs.h"
#include "runs/run_status.h"

namespace negativa {

namespace {

constexpr size_t pictures_at_once = 64, measured_at_once = 256;
constexpr auto poll = std::chrono::milliseconds(200);

constexpr CellStage stages_in_order[] = {CellStage::set_picture, CellStage::set,         CellStage::lora,    CellStage::embedding,
                                         CellStage::random_lora, CellStage::merged_lora, CellStage::picture, CellStage::metrics};

size_t at_once(CellStage stage) {
  if (stage == CellStage::picture || stage == CellStage::set_picture) return pictures_at_once;
  return stage == CellStage::metrics ? measured_at_once : 1;
}

void make(const MakerRun& run, CellStage stage, const std::vector<size_t>& cells) {
  switch (stage) {
    case CellStage::set_picture:
    case CellStage::picture:
      return draw_pictures(run, cells);
    case CellStage::set:
      return write_set(run, cells.front());
    case CellStage::lora:
      return train_lora_cell(run, cells.front());
    case CellStage::random_lora:
      return make_random_lora(run, cells.front());
    case CellStage::merged_lora:
      return make_merged_lora(run, cells.front());
    case CellStage::embedding:
      return train_embedding_cell(run, cells.front());
    case CellStage::calibration:
      return;  // made before there is a plan
    case CellStage::metrics:
      return measure_pictures(run, cells);
  }
}

// What a run knows of its cells: whole ones stay whole while it lasts.
class Cells {
 public:
  Cells(const RunPlan& plan, const RunStore& store, EventSink& events)
      : plan_(plan), store_(store), events_(events), whole_(plan.cells.size(), false) {}

  bool is_whole(size_t cell) {
    if (whole_[cell]) return true;
    std::string why;
    const CellState state = store_.state(plan_.cells[cell], &why);
    if (state == CellState::damaged) events_.on_notice(why + "; it is made again");
    return whole_[cell] = state == CellState::whole;
  }
  bool is_ready(size_t cell) {
    const auto& inputs = plan_.cells[cell].inputs;
    return std::all_of(inputs.begin(), inputs.end(), [&](size_t input) { return is_whole(input); });
  }

 private:
  const RunPlan& plan_;
  const RunStore& store_;
  EventSink& events_;
  std::vector<bool> whole_;
};

class Runner {
 public:
  Runner(const MakerRun& run, const Shard& shard)
      : run_(run), shard_(shard), cells_(run.plan.run, run.store, run.caller.events) {}

  StageCount run_stage(CellStage stage) {
    StageCount count{stage};
    std::vector<size_t> missing = missing_cells(stage, count);
    while (!missing.empty()) {
      run_.caller.cancel.throw_if_cancelled();
      const size_t made = make_ready(stage, missing);
      count.made += made;
      std::erase_if(missing, [&](size_t cell) { return cells_.is_whole(cell); });
      if (made > 0 || missing.empty()) continue;
      if (!shard_.waits && !another_works_on(missing)) break;
      std::this_thread::sleep_for(poll);
    }
    count.left += missing.size();
    return count;
  }

 private:
  // Cells of this process that are not there yet; a file that several cells share counts once.
  std::vector<size_t> missing_cells(CellStage stage, StageCount& count) {
    std::vector<size_t> missing;
    std::set<std::string> files;
    const auto& cells = run_.plan.run.cells;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].stage != stage || !files.insert(cells[i].file).second) continue;
      if (cells_.is_whole(i))
        ++count.there;
      else if (shard_.has(files.size() - 1))
        missing.push_back(i);
      else
        ++count.left;
    }
    return missing;
  }

  size_t make_ready(CellStage stage, const std::vector<size_t>& missing) {
    size_t made = 0;
    for (size_t begin = 0; begin < missing.size();) {
      std::vector<CellLock> locks;
      std::vector<size_t> cells;
      for (; begin < missing.size() && cells.size() < at_once(stage); ++begin) {
        const size_t cell = missing[begin];
        if (!cells_.is_ready(cell)) continue;
        auto lock = run_.store.try_lock(run_.plan.run.cells[cell]);
        if (!lock || cells_.is_whole(cell)) continue;  // another process has just made it
        locks.push_back(std::move(*lock));
        cells.push_back(cell);
      }
      if (cells.empty()) continue;
      make(run_, stage, cells);
      made += cells.size();
    }
    return made;
  }

  // On this machine another process is making one of these, or what one of these needs.
  bool another_works_on(const std::vector<size_t>& missing) {
    return std::any_of(missing.begin(), missing.end(), [&](size_t cell) {
      return cells_.is_ready(cell) ? !run_.store.try_lock(run_.plan.run.cells[cell]) : is_at_work_on_inputs(cell);
    });
  }
  bool is_at_work_on_inputs(size_t cell) {
    const auto& inputs = run_.plan.run.cells[cell].inputs;
    return std::any_of(inputs.begin(), inputs.end(),
                       [&](size_t input) { return !cells_.is_whole(input) && !run_.store.try_lock(run_.plan.run.cells[input]); });
  }

  const MakerRun& run_;
  const Shard shard_;
  Cells cells_;
};

// The calibration decides which damages count, so it is there before the plan is.
std::optional<Calibration> made_calibration(Engine& engine, const ExperimentRun& run, RunStore& store, const Caller& caller) {
  if (!run.file.options.calibrate) return {};
  const PlannedJudge judge = plan_judge(engine, run.file, {}, caller);
  const PlannedCell& cell = *judge.calibration;
  while (store.state(cell) != CellState::whole) {
    caller.cancel.throw_if_cancelled();
    if (const auto lock = store.try_lock(cell); lock && store.state(cell) != CellState::whole)
      calibrate_judge(engine, judge, run.file, store, caller);
    else if (!lock)
      std::this_thread::sleep_for(poll);
  }
  return Calibration::from_text(read_file(store.path(cell)), cell.file);
}

void freeze(RunStore& store, const ExperimentRun& run, const RunPlan& plan) {
  const auto& frozen = store.frozen();
  if (frozen && frozen->hash() == plan.hash()) return;
  if (frozen && !run.update) {
    const std::string line = first_difference(frozen->config_json, run.file);
    fail(ErrorKind::input, "[experiment] {} {}; --update takes the file's, -o another folder begins a new run",
         run.file.path.string(), line.empty() ? difference_of_inputs(*frozen, plan) : line);
  }
  store.freeze(plan);
  if (store.frozen()->hash() != plan.hash()) freeze(store, run, plan);  // another process was quicker, with another file
}

}  // namespace

ExperimentPlan planned(Engine& engine, const ExperimentRun& run, const Caller& caller) {
  std::optional<RunPlan> earlier;
  std::optional<Calibration> calibration;
  if (std::filesystem::exists(run.folder / names::plan_file)) {
    const RunStore store = RunStore::open(run.folder, caller.events);
    earlier = store.frozen();
    if (run.file.options.calibrate)
      if (const PlannedJudge judge = plan_judge(engine, run.file, {}, caller);
          store.state(*judge.calibration) == CellState::whole)
        calibration = Calibration::from_text(read_file(store.path(*judge.calibration)), judge.calibration->file);
  }
  const PlannedJudge judge = plan_judge(engine, run.file, calibration, caller);
  return plan_experiment(engine, {run.file, judge, earlier ? &*earlier : nullptr}, caller);
}

ExperimentResult run_experiment(Engine& engine, const ExperimentRun& run, const Caller& caller) {
  const auto begin = std::chrono::steady_clock::now();
  RunStore store(run.folder, caller.events);
  const PlannedJudge judge = plan_judge(engine, run.file, made_calibration(engine, run, store, caller), caller);
  ExperimentPlan plan = plan_experiment(engine, {run.file, judge, store.frozen() ? &*store.frozen() : nullptr}, caller);
  freeze(store, run, plan.run);
  if (store.frozen()->hash() != plan.run.hash())  // a first start beside this one drew the seeds
    plan = plan_experiment(engine, {run.file, judge, &*store.frozen()}, caller);
  const MakerRun maker{engine, plan, store, caller};
  Runner runner(maker, run.shard);
  ExperimentResult result;
  for (const CellStage stage : stages_in_order) {
    if (stage == CellStage::metrics && plan.run.counts_test_run) result.test_runs = count_test_run(run.file, plan.run);
    result.stages.push_back(runner.run_stage(stage));
  }
  result.is_whole =
      std::all_of(result.stages.begin(), result.stages.end(), [](const StageCount& count) { return count.left == 0; });
  write_metrics_csv(store, plan.run);
  result.plan = std::move(plan.run);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace negativa
