#pragma once
// Where an engine meets a training.
#include "engine/engine.h"
#include "train/training.h"

namespace negativa {

// What a training takes from the engine.
inline TrainingHost training_host(const Engine& engine) { return {engine.places(), engine.settings().while_loading}; }

}  // namespace negativa
