#pragma once
// Options that take several values in turn: [sweeps] of an experiment, and --axis. Included by the .cpp files that read them.
#include <string>
#include <utility>
#include <vector>

#include "experiment/experiment_reader.h"

namespace negativa {

struct OptionAxis {
  std::string key, path;           // the option, and where it stands as TomlSource knows it
  std::vector<Json> values;        // as set_draw takes them
  bool is_named = false;           // it has several values, so that columns are named after them
  std::vector<std::string> texts;  // of the values, as columns are named
};

// A key of a sweep's table. Throws ErrorKind::input where it has no values.
OptionAxis axis_of(const TomlSource& source, const TomlEntry& entry);

Json plain_number(const Json& value);  // 4.0 is 4, however it is written

// One combination: the number of a value for each axis.
using Turn = std::vector<size_t>;
// The next one, the last axis first; false: that was the last.
bool next_turn(const std::vector<OptionAxis>& axes, Turn& turn);

// "steps=2,cfg_scale=5", of the named axes; of a single value where none is named.
std::string combination_name(const std::vector<OptionAxis>& axes, const Turn& turn);
std::vector<std::pair<std::string, std::string>> combination_texts(const std::vector<OptionAxis>& axes, const Turn& turn);

}  // namespace negativa
