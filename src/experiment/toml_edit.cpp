// Changing a value in a TOML text without touching anything else.
#include <algorithm>

#include "base/json.h"
#include "base/toml.h"
#include "experiment/experiment_file.h"

namespace negativa {

namespace {

// Of a line from 1, behind a byte order mark; the text's end for lines behind it.
size_t begin_of_line(std::string_view text, int line) {
  size_t at = text.starts_with("\xef\xbb\xbf") ? 3 : 0;
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

bool is_header(std::string_view toml, const TomlPosition& position) {
  const size_t at = toml.find_first_not_of(" \t", begin_of_line(toml, position.line));
  return at != std::string_view::npos && toml[at] == '[';
}

// "arms.article.lora" is key `lora` of table `arms.article`; of keys in quotes every part stays as it is.
struct SplitKey {
  std::string table, key;
};
SplitKey split(const std::string& path) {
  bool in_quotes = false;
  size_t dot = std::string::npos;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && in_quotes)
      ++i;
    else if (path[i] == '"')
      in_quotes = !in_quotes;
    else if (path[i] == '.' && !in_quotes)
      dot = i;
  }
  if (dot == std::string::npos) return {"", path};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

Json::json_pointer pointer_of(std::string path) {
  std::vector<std::string> parts;  // the last first
  for (const std::string whole = path; !path.empty();) {
    auto [table, key] = split(path);
    while (key.ends_with(']')) {
      const size_t open = key.rfind('[');
      parts.push_back(key.substr(open + 1, key.size() - open - 2));
      key.resize(open);
    }
    parts.push_back(key.starts_with('"') ? parse_json(key, whole).get<std::string>() : key);
    path = table;
  }
  Json::json_pointer pointer;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) pointer /= *part;
  return pointer;
}

// Behind the last line of the table's own values, from the line after its header or from the text's begin.
size_t end_of_table(std::string_view toml, const TomlPositions& positions, const std::string& table) {
  size_t end = begin_of_line(toml, table.empty() ? 1 : positions.at(table).line + 1);
  for (const auto& [path, position] : positions) {
    if (split(path).table != table || is_header(toml, position)) continue;
    const size_t line_end = toml.find('\n', end_of_value(toml, byte_of(toml, position)));
    end = std::max(end, line_end == std::string_view::npos ? toml.size() : line_end + 1);
  }
  return end;
}

std::string with_new_key(const std::string& toml, const TomlPositions& positions, const std::string& path,
                         const std::string& value_toml) {
  const auto [table, key] = split(path);
  const std::string line_end = toml.find("\r\n") == std::string::npos ? "\n" : "\r\n";
  const std::string line = key + " = " + value_toml;
  const auto header = positions.find(table);
  if (!table.empty() && header == positions.end()) {
    const bool is_whole = toml.empty() || toml.ends_with('\n');
    return toml + (is_whole ? "" : line_end) + line_end + "[" + table + "]" + line_end + line + line_end;
  }
  if (!table.empty() && !is_header(toml, header->second)) {  // { … }
    const size_t begin = byte_of(toml, header->second), close = end_of_value(toml, begin) - 1;
    check(toml.substr(begin, 1) == "{" && close > begin, ErrorKind::input,
          "[TOML] {} has no line of its own, [{}], to put {} behind", table, table, path);
    const size_t last = toml.find_last_not_of(" \t", close - 1);
    return toml.substr(0, last + 1) + (last == begin ? " " : ", ") + line + " " + toml.substr(close);
  }
  const size_t end = end_of_table(toml, positions, table);
  return toml.substr(0, end) + (end > begin_of_line(toml, 1) && toml[end - 1] != '\n' ? line_end : "") + line + line_end +
         toml.substr(end);
}

std::string edited(const std::string& toml, const std::string& key, const std::string& value_toml) {
  TomlPositions positions;
  parse_toml(toml, "TOML", positions);
  if (const auto found = positions.find(key); found != positions.end()) {
    const size_t begin = byte_of(toml, found->second);
    return toml.substr(0, begin) + value_toml + toml.substr(end_of_value(toml, begin));
  }
  return with_new_key(toml, positions, key, value_toml);
}

}  // namespace

std::string with_value(const std::string& toml, const std::string& key, const std::string& value_toml) {
  const std::string changed = edited(toml, key, value_toml);
  Json expected = parse_toml(toml, "TOML");
  expected[pointer_of(key)] = parse_toml("value = " + value_toml, key)["value"];
  check(parse_toml(changed, "TOML") == expected, ErrorKind::input,
        "[TOML] {} cannot be written without changing other values; set it by hand", key);
  return changed;
}

}  // namespace negativa
