#pragma once
// TOML as JSON, with the line of each value, so that errors can name it. (base/config.h has the plain parse_toml.)
#include <compare>
#include <map>
#include <string>
#include <string_view>

#include "base/json_fwd.h"

namespace negativa {

// Where values stand in a TOML text, from 1: of a table its header, of a key its value.
struct TomlPosition {
  int line = 1, column = 1;
  auto operator<=>(const TomlPosition&) const = default;
};
using TomlPositions = std::map<std::string, TomlPosition>;  // by toml_path()

// The same, and where each table and key stands.
Json parse_toml(std::string_view text, std::string_view where, TomlPositions& positions);

// A key below `parent` (empty: the top) as TOML writes it: "arms.article.lora"; in quotes where it is no bare key: arms."a.b".
std::string toml_path(std::string_view parent, std::string_view key);
// An element of a list: "tune.candidates[0]".
std::string toml_path(std::string_view parent, size_t index);

}  // namespace negativa
