#include "experiment/toml_text.h"

#include "base/json.h"
#include "base/toml.h"

namespace negativa {

std::string toml_value(const Json& value) {
  std::string text;
  if (value.is_object()) {
    for (const auto& [key, one] : value.items())
      text += (text.empty() ? " " : ", ") + toml_path("", key) + " = " + toml_value(one);
    return "{" + text + (text.empty() ? "}" : " }");
  }
  if (value.is_array()) {  // of tables a line each
    const bool has_tables = !value.empty() && value.front().is_object();
    for (const Json& one : value) text += (has_tables ? "\n  " : text.empty() ? "" : " ") + toml_value(one) + ",";
    if (!has_tables && !text.empty()) text.pop_back();
    return "[" + text + (has_tables ? "\n]" : "]");
  }
  text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  for (size_t at = 0; (at = text.find('\x7f', at)) != std::string::npos;) text.replace(at, 1, "\\u007F");  // JSON has it bare
  return value.is_number_unsigned() && !json_holds<int64_t>(value) ? "\"" + text + "\""
                                                                   : text;  // TOML's integers end at 2^63 - 1
}

std::string toml_table_text(const std::string& path, const Json& table) {
  std::string text = "\n[" + path + "]\n";
  for (const auto& [key, value] : table.items())
    if (!value.is_null()) text += toml_path("", key) + " = " + toml_value(value) + "\n";
  return text;
}

}  // namespace negativa
