#pragma once
// What a studio can be asked to do: the jobs of the command line, under its names, with its settings.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/config.h"
#include "engine/engine.h"
#include "image/events.h"
#include "library/roots.h"

namespace negativa::studio {

// Jobs of one lane run one after another; lanes run side by side.
enum class Lane {
  draw,
  train,
  files,
  ask,  // answered at once, not kept
};

struct Running {
  Engine& engine;
  EventSink& events;
  const CancelToken& cancel;
  const Roots* roots = nullptr;  // what files of settings may name
  std::string config_toml = {};  // of a training: goes into its run folder, so without paths
};

// One request: settings, and what is done with them.
class VerbRequest {
 public:
  virtual ~VerbRequest() = default;
  virtual Fields& fields() = 0;
  // After the fields have been set, and before run or forecast. Throws what the command line throws before it begins.
  virtual void prepare(const Running& running) = 0;
  virtual Json run(const Running& running) = 0;       // the result as --json prints it
  virtual Json forecast(const Running& running) = 0;  // as --dry-run; of a verb that has one
};

struct Verb {
  std::string name;  // as on the command line: "train lora"
  std::string help;
  Lane lane = Lane::draw;
  bool has_forecast = false;
  std::function<std::unique_ptr<VerbRequest>()> make;

  std::string path_name() const;  // in addresses: "train-lora"
};

const std::vector<Verb>& verbs();
std::vector<Verb> experiment_verbs();                         // part of verbs()
const Verb* find_verb(const std::string& name_or_path_name);  // nullptr: there is none

}  // namespace negativa::studio
