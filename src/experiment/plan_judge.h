#pragma once
// What a judge's words are worth in an experiment: decided before the first picture is measured, and part of the plan.
#include "engine/engine.h"
#include "experiment/calibration.h"
#include "experiment/experiment_file.h"
#include "image/events.h"

namespace negativa {

struct PlannedJudge {
  std::filesystem::path folder;
  RecipeInput input;
  DamageScoreBasis basis;
  std::vector<std::string> metric_names;
  std::optional<PlannedCell> calibration;  // that the run makes itself (calibrate = true)
  std::string calibration_recipe;          // of that cell
};

// `measured`: the calibration that this run has made; else the one kept beside the judge counts, where it is of this judge and
// model. Throws ErrorKind::input where the model's pictures need another judge than the bundled one, for names of metrics that
// the judge does not have, and for calibrate = true with a model or judge that is not the bundled one's.
PlannedJudge plan_judge(Engine& engine, const ExperimentFile& file, const std::optional<Calibration>& measured,
                        const Caller& caller);

}  // namespace negativa
