#pragma once
// JSON values as an experiment's TOML has them.
#include <string>

#include "base/json_fwd.h"

namespace negativa {

// On one line, but for lists of tables, which have a line for each table. Integers above 2^63 - 1, which TOML has not, as text.
std::string toml_value(const Json& value);

// "[path]" and a line for each key, in alphabetical order, behind an empty line. Absent values are left out.
std::string toml_table_text(const std::string& path, const Json& table);

}  // namespace negativa
