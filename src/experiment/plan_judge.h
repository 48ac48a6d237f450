#pragma once
// What a judge's words are worth in an experiment: decided before the first picture is measured, and part of the plan.
#include "engine/engine.h"
#include "experiment/calibration.h"
#include "experiment/experiment_file.h"
#include "runs/run_store.h"

namespace negativa {

struct PlannedJudge {
  std::filesystem::path folder;
  RecipeInput input;
  DamageScoreBasis basis;  // empty: the judge has no world and measures no damage
  std::vector<std::string> metric_names;
  std::optional<PlannedCell> calibration;  // that the run makes itself (calibrate = true)
  // Of that cell.
  std::string calibration_recipe;
  std::vector<RecipeInput> calibration_inputs;
};

// `measured`: the calibration that this run has made; else the one kept beside the judge counts, where it is of this judge and of
// every model that draws. What is left out of the measurements is told in notices. Throws ErrorKind::input where the models'
// pictures need another judge than the bundled one, for names of metrics that the judge does not have, and for calibrate = true
// with other models than the bundled one or a judge without a world; as Judging and find_calibration do.
PlannedJudge plan_judge(Engine& engine, const ExperimentFile& file, const std::optional<Calibration>& measured,
                        const Caller& caller);

// Makes the cell judge.calibration, which is there, locked by the caller. A few minutes on a CPU. Throws as calibrate and
// RunStore::write do.
void calibrate_judge(Engine& engine, const PlannedJudge& judge, const ExperimentFile& file, RunStore& store,
                     const Caller& caller);

}  // namespace negativa
