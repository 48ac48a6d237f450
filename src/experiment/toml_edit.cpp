// Changing a value in a TOML text without touching anything else.
#include <algorithm>
#include <limits>

#include "base/json.h"
#include "base/toml.h"
#include "experiment/experiment_file.h"

namespace negativa {

namespace {

// Of a line from 1; the text's end for lines behind it.
size_t begin_of_line(std::string_view text, int line) {
  size_t at = 0;
  for (int i = 1; i < line && at < text.size(); ++i) {
    const size_t end = text.find('\n', at);
    at = end == std::string_view::npos ? text.size() : end + 1;
  }
  return at;
}

// toml++ counts columns in code points.
size_t byte_of(std::string_view text, const TomlPosition& position) {
  size_t at = begin_of_line(text, position.line);
  for (int column = 1; column < position.column && at < text.size(); ++column) do
      ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80);
  return at;
}

size_t end_of_string(std::string_view text, size_t at) {
  const char quote = text[at];
  const bool is_long = text.substr(at, 3) == std::string(3, quote);
  const std::string close(is_long ? 3 : 1, quote);
  for (size_t i = at + close.size(); i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"')
      ++i;
    else if (text.substr(i, close.size()) == close)
      return i + close.size();
  }
  return text.size();
}

// Behind the value that begins at `at`, without what follows it on the line.
size_t end_of_value(std::string_view text, size_t at) {
  int depth = 0;
  size_t end = at;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      end = at = end_of_string(text, at);
      continue;
    }
    if (c == '#') {
      if (depth == 0) break;
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (depth == 0 && (c == '\n' || c == ',' || c == ']' || c == '}')) break;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    ++at;
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') end = at;
  }
  return end;
}

// The header "[table]" itself, since a table that only other tables' headers name has no line to put a key behind.
bool has_header(std::string_view toml, const TomlPosition& position) {
  const size_t at = begin_of_line(toml, position.line);
  return toml.substr(toml.find_first_not_of(" \t", at), 1) == "[";
}

// Behind the line on which the value ends.
size_t end_of_entry(std::string_view toml, const TomlPosition& value) {
  const size_t end = toml.find('\n', end_of_value(toml, byte_of(toml, value)));
  return end == std::string_view::npos ? toml.size() : end + 1;
}

// Behind the last key of the table whose header stands on that line; 0: of those before all tables. Where it has none, behind the
// header, or before the first table.
size_t end_of_table(std::string_view toml, const TomlPositions& positions, int header) {
  int next = std::numeric_limits<int>::max();
  for (const auto& [path, position] : positions)
    if (position.line > header && !path.ends_with(']') && has_header(toml, position)) next = std::min(next, position.line);
  size_t end = begin_of_line(toml, header + 1);
  bool has_keys = header > 0;
  for (const auto& [path, position] : positions) {
    if (position.line <= header || position.line >= next) continue;
    end = std::max(end, end_of_entry(toml, position));
    has_keys = true;
  }
  return has_keys ? end : begin_of_line(toml, next);
}

std::string with_line_at(const std::string& toml, size_t at, const std::string& line) {
  return toml.substr(0, at) + (at > 0 && toml[at - 1] != '\n' ? "\n" : "") + line + toml.substr(at);
}

}  // namespace

std::string with_value(const std::string& toml, const std::string& key, const std::string& value_toml) {
  TomlPositions positions;
  parse_toml(toml, "TOML", positions);
  if (const auto found = positions.find(key); found != positions.end()) {
    const size_t begin = byte_of(toml, found->second);
    return toml.substr(0, begin) + value_toml + toml.substr(end_of_value(toml, begin));
  }
  const auto dot = key.rfind('.');
  const std::string table = dot == std::string::npos ? "" : key.substr(0, dot);
  const std::string line = key.substr(dot == std::string::npos ? 0 : dot + 1) + " = " + value_toml + "\n";
  if (table.empty()) return with_line_at(toml, end_of_table(toml, positions, 0), line);
  const auto header = positions.find(table);
  if (header == positions.end() || !has_header(toml, header->second)) {
    check(header == positions.end(), ErrorKind::input, "[TOML] {} has no line of its own, [{}], to put {} behind", table, table,
          key);
    return toml + (toml.empty() || toml.ends_with("\n") ? "" : "\n") + "\n[" + table + "]\n" + line;
  }
  return with_line_at(toml, end_of_table(toml, positions, header->second.line), line);
}

}  // namespace negativa
