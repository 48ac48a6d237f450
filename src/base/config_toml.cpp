#include <toml++/toml.h>

#include <algorithm>
#include <string>

#include "base/config.h"
#include "base/files.h"
#include "base/json.h"
#include "base/toml.h"

namespace negativa {

namespace {

Json json_from(const toml::node& node, std::string_view where) {
  if (const auto* table = node.as_table()) {
    Json object = Json::object();
    for (const auto& [key, value] : *table) object[std::string(key.str())] = json_from(value, where);
    return object;
  }
  if (const auto* array = node.as_array()) {
    Json list = Json::array();
    for (const auto& element : *array) list.push_back(json_from(element, where));
    return list;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* integer = node.as_integer()) return integer->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* boolean = node.as_boolean()) return boolean->get();
  fail(ErrorKind::file_format, "[{}] line {} has a date or time, expected a text, number, list or table; put it in quotes", where,
       node.source().begin.line);
}

void add_positions(const toml::node& node, const std::string& path, TomlPositions& positions) {
  const auto& begin = node.source().begin;
  if (!path.empty() && begin) positions[path] = {static_cast<int>(begin.line), static_cast<int>(begin.column)};
  if (const auto* table = node.as_table())
    for (const auto& [key, value] : *table) add_positions(value, toml_path(path, key.str()), positions);
  if (const auto* array = node.as_array())
    for (size_t i = 0; i < array->size(); ++i) add_positions((*array)[i], toml_path(path, i), positions);
}

// The end of the text or comment that begins at `at`; `at` itself where none does.
size_t end_of_opaque(std::string_view text, size_t at) {
  if (text[at] == '#') return std::min(text.find('\n', at), text.size());
  if (text[at] != '"' && text[at] != '\'') return at;
  const bool is_long = text.substr(at, 3) == std::string(3, text[at]);
  const std::string_view close = text.substr(at, is_long ? 3 : 1);
  for (size_t i = at + close.size(); i < text.size(); ++i) {
    if (text[i] == '\\' && text[at] == '"')
      ++i;
    else if (text.substr(i, close.size()) == close)
      return i + close.size();
    else if (text[i] == '\n' && !is_long)
      return i;
  }
  return text.size();
}

// toml++ and what walks its tables recur, so a key of a million dots would overflow the stack.
void check_depth(std::string_view text, std::string_view where) {
  constexpr int deepest = 64;
  int dots = 0, brackets = 0, line = 1;
  for (size_t at = 0; at < text.size(); ++at) {
    if (const size_t end = end_of_opaque(text, at); end > at) {
      line += static_cast<int>(
          std::count(text.begin() + static_cast<std::ptrdiff_t>(at), text.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
      at = end - 1;
      continue;
    }
    const char c = text[at];
    line += c == '\n';
    if (c == '.')
      ++dots;
    else if (c == '\n' || c == '=' || c == ',')
      dots = 0;
    if (c == '[' || c == '{') ++brackets;
    if (c == ']' || c == '}') --brackets;
    check(dots <= deepest && brackets <= deepest, ErrorKind::file_format, "[{}] line {} is nested more than {} levels deep",
          where, line, deepest);
  }
}

}  // namespace

Json parse_toml(std::string_view text, std::string_view where) {
  TomlPositions positions;
  return parse_toml(text, where, positions);
}

Json parse_toml(std::string_view text, std::string_view where, TomlPositions& positions) {
  check_depth(text, where);
  try {
    const auto table = toml::parse(text);
    positions.clear();
    add_positions(table, "", positions);
    return json_from(table, where);
  } catch (const toml::parse_error& error) {
    const bool too_large = error.description().find("not representable in 64 bits") != std::string_view::npos;
    fail(ErrorKind::file_format, "[{}] is not valid TOML at line {}: {}{}", where, error.source().begin.line, error.description(),
         too_large ? "; TOML's integers end at 2^63 - 1, so put it in quotes" : "");
  }
}

std::string toml_path(std::string_view parent, std::string_view key) {
  const auto is_bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), is_bare);
  const std::string part = bare ? std::string(key) : Json(key).dump(-1, ' ', false, Json::error_handler_t::replace);
  return parent.empty() ? part : fmt::format("{}.{}", parent, part);
}

std::string toml_path(std::string_view parent, size_t index) { return fmt::format("{}[{}]", parent, index); }

Json read_toml_file(const std::filesystem::path& path) { return parse_toml(read_file(path, 16 << 20), path.string()); }

void set_from_toml_file(Fields& fields, const std::filesystem::path& path) {
  set_from_json(fields, read_toml_file(path), {Source::file, path.string()});
}

}  // namespace negativa
