#pragma once
// `negativa score --calibrate`: how well judges tell the damages of the bundled model's world. docs/experiments.md, "Judges and
// calibration".
#include "base/recipe.h"
#include "engine/session.h"
#include "experiment/calibration.h"
#include "experiment/metrics/metric.h"

namespace negativa {

// The judge's name and a hash of all files that decide what it says.
RecipeInput judge_input(const Judge& judge, const Hashing& hashing);
// Those of the bundled model's folder.
RecipeInput bundled_model_input(const Places& places);

struct CalibratedJudge {
  const Judge* judge;
  World world;
};

// Draws the calibration captions with the bundled model, plain and with each damage, and lets each judge tell them apart;
// likewise the model's reference pictures through its VAE. All judges must have the same world. A few minutes on a CPU.
std::vector<Calibration> calibrate(Engine& engine, const std::vector<CalibratedJudge>& judges, int threads, const Caller& caller);

}  // namespace negativa
