#pragma once
// What an experiment's writer should know before it runs.
#include "engine/engine.h"
#include "experiment/experiment_file.h"
#include "image/events.h"

namespace negativa {

// One line each, with the TOML's line: an option of an arm or sweep that changes none of its pictures, one of [default] that
// changes none of any arm's, an embedding whose word stands in no prompt; and what Session::notices says of a model and its
// settings, once. Opens models (no weights). Throws ErrorKind::input, with the arm's line, where the pictures would not be those
// asked for (without_effect), and as Engine::open does.
std::vector<std::string> experiment_notices(Engine& engine, const ExperimentFile& file, const Caller& caller);

}  // namespace negativa
