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

// Makes what can be made, stage by stage and again, since what another process makes meanwhile lets more be made.
class Runner {
 public:
  Runner(const MakerRun& run, const Shard& shard) : run_(run), shard_(shard), cells_(run.plan.run, run.store, run.caller.events) {
    for (const CellStage stage : stages_in_order) stages_.push_back(open_stage(stage));
  }

  void run() {
    for (;;) {
      run_.caller.cancel.throw_if_cancelled();
      size_t made = 0;
      for (auto& stage : stages_) made += make_ready(stage, stage.own, stage.own.size());
      if (made == 0 && shard_.waits) made = help_others();
      if (made > 0) continue;
      if (is_done() || (!shard_.waits && !others_work_for_this())) return;
      std::this_thread::sleep_for(poll);
    }
  }

  std::vector<StageCount> counts() {
    std::vector<StageCount> counts;
    for (auto& stage : stages_) {
      forget_whole(stage.own);
      forget_whole(stage.others);
      counts.push_back(stage.count);
      counts.back().left = stage.own.size() + stage.others.size();
    }
    return counts;
  }
  // As count_test_run returned it; 0: nothing was measured.
  size_t test_runs() const { return test_runs_; }

 private:
  struct Stage {
    StageCount count;
    std::vector<size_t> own, others;  // cells that are not there yet: of this process, of others from their last on
  };

  // A file that several cells share counts once.
  Stage open_stage(CellStage kind) {
    Stage stage{{kind}, {}, {}};
    std::set<std::string> files;
    const auto& cells = run_.plan.run.cells;
    for (size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].stage != kind || !files.insert(cells[i].file).second) continue;
      if (cells_.is_whole(i))
        ++stage.count.there;
      else
        (shard_.has(files.size() - 1) ? stage.own : stage.others).push_back(i);
    }
    std::reverse(stage.others.begin(), stage.others.end());
    return stage;
  }

  void forget_whole(std::vector<size_t>& cells) {
    std::erase_if(cells, [&](size_t cell) { return cells_.is_whole(cell); });
  }

  // Makes batches of the missing cells until there are `most`; returns how many it made.
  size_t make_ready(Stage& stage, std::vector<size_t>& missing, size_t most) {
    size_t made = 0;
    for (size_t next = 0; next < missing.size() && made < most;) {
      run_.caller.cancel.throw_if_cancelled();
      std::vector<CellLock> locks;
      std::vector<size_t> cells;
      for (; next < missing.size() && cells.size() < at_once(stage.count.stage); ++next) {
        const size_t cell = missing[next];
        if (!cells_.is_ready(cell)) continue;
        auto lock = run_.store.try_lock(run_.plan.run.cells[cell]);
        if (!lock || cells_.is_whole(cell)) continue;  // another process makes it or has just made it
        locks.push_back(std::move(*lock));
        cells.push_back(cell);
      }
      if (cells.empty()) continue;
      if (stage.count.stage == CellStage::metrics) count_test_run_once(cells);
      make(run_, stage.count.stage, cells);
      for (const size_t cell : cells)
        check(cells_.is_whole(cell), ErrorKind::machine,
              "[experiment] {} was made and is not there; does another program clear {}?", run_.plan.run.cells[cell].file,
              run_.store.folder().string());
      made += cells.size();
    }
    stage.count.made += made;
    forget_whole(missing);
    return made;
  }

  // Others' cells while this process would wait: it ends sooner, and one of them may be gone.
  size_t help_others() {
    for (auto& stage : stages_) {
      forget_whole(stage.others);
      if (const size_t made = make_ready(stage, stage.others, 1)) return made;
    }
    return 0;
  }

  bool is_done() const {
    return std::all_of(stages_.begin(), stages_.end(),
                       [&](const Stage& stage) { return stage.own.empty() && (stage.others.empty() || !shard_.waits); });
  }

  // Another process of this machine is making what is missing here, or what that needs.
  bool others_work_for_this() {
    return std::any_of(stages_.begin(), stages_.end(), [&](const Stage& stage) {
      return std::any_of(stage.own.begin(), stage.own.end(), [&](size_t cell) { return is_at_work_for(cell); });
    });
  }
  bool is_at_work_for(size_t cell) {
    if (cells_.is_ready(cell)) return !run_.store.try_lock(run_.plan.run.cells[cell]);
    const auto& inputs = run_.plan.run.cells[cell].inputs;
    return std::any_of(inputs.begin(), inputs.end(),
                       [&](size_t input) { return !cells_.is_whole(input) && is_at_work_for(input); });
  }

  // Before the first picture of a test prompt is measured. Other lists are nobody's secret.
  void count_test_run_once(const std::vector<size_t>& cells) {
    const RunPlan& plan = run_.plan.run;
    const auto is_of_test_list = [&](size_t cell) { return plan.arms[static_cast<size_t>(plan.cells[cell].arm)].list == "test"; };
    if (test_runs_ == 0 && std::any_of(cells.begin(), cells.end(), is_of_test_list))
      test_runs_ = count_test_run(run_.plan.file, plan);
  }

  const MakerRun& run_;
  const Shard shard_;
  Cells cells_;
  std::vector<Stage> stages_;
  size_t test_runs_ = 0;
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

// Two plans of the same TOML differ by what stands outside it.
std::string difference_of_inputs(const RunPlan& frozen, const RunPlan& plan) {
  for (const auto& input : plan.inputs) {
    const auto same = [&](const RecipeInput& other) { return other.role == input.role && other.name == input.name; };
    const auto found = std::find_if(frozen.inputs.begin(), frozen.inputs.end(), same);
    if (found == frozen.inputs.end()) return fmt::format("uses the {} {}, which the run did not", input.role, input.name);
    if (found->sha256 != input.sha256) return fmt::format("finds the {} {} changed since the run began", input.role, input.name);
  }
  const auto same_name = [](const PlannedArm& one, const PlannedArm& other) { return one.name == other.name; };
  if (!std::equal(frozen.arms.begin(), frozen.arms.end(), plan.arms.begin(), plan.arms.end(), same_name))
    return "has the run's arms in another order";
  if (frozen.damages != plan.damages) return "counts other damages than the run: the judge's calibration has changed";
  return "is planned otherwise by this version of the program than when the run began";
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
  runner.run();
  ExperimentResult result;
  result.stages = runner.counts();
  if (plan.run.counts_test_run) result.test_runs = runner.test_runs() ? runner.test_runs() : counted_test_runs(run.file.path);
  result.is_whole =
      std::all_of(result.stages.begin(), result.stages.end(), [](const StageCount& count) { return count.left == 0; });
  write_metrics_csv(store, plan.run);
  result.plan = std::move(plan.run);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace negativa
