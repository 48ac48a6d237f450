#pragma once
// How well judges tell the damages of the bundled model's world, measured: `negativa score --calibrate`, and experiments with
// calibrate = true. docs/experiments.md, "Judges and calibration".
#include "engine/session.h"
#include "experiment/judging.h"

namespace negativa {

// Of the bundled model's folder.
RecipeInput bundled_model_input(const Places& places, const Hashing& hashing = {});

// What a calibration by this judge follows from: the bundled model, the judge, the model's reference pictures.
std::vector<RecipeInput> calibration_inputs(Engine& engine, const Judge& judge, const CancelToken& cancel);
// And the settings it is drawn with, as canonical JSON.
std::string calibration_recipe();

// Draws the calibration captions with the bundled model, plain and with each damage, and lets each judge tell them apart;
// likewise the model's reference pictures through its VAE. Numbers do not follow the number of threads (0: all cores). A few
// minutes on a CPU. Throws ErrorKind::input for judges without a world or with different ones, cancelled.
std::vector<Calibration> calibrate(Engine& engine, const std::vector<const Judging*>& judges, int threads, const Caller& caller);

}  // namespace negativa
