#include "image/infotext.h"

#include <algorithm>

#include "base/json.h"

namespace negativa {

namespace {

constexpr size_t least_settings = 3;

// The end of a value that begins at `at`: a quoted text, an object or a list, or all up to the next comma.
size_t end_of_value(const std::string& line, size_t at) {
  const char first = at < line.size() ? line[at] : ',';
  if (first != '"' && first != '{' && first != '[') return std::min(line.find(',', at), line.size());
  int depth = 0;
  bool quoted = false;
  for (size_t i = at; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted && c == '\\')
      ++i;
    else if (c == '"')
      quoted = !quoted;
    else if (!quoted && (c == '{' || c == '}' || c == '[' || c == ']'))
      depth += c == '{' || c == '[' ? 1 : -1;
    if (!quoted && depth == 0) return i + 1;
  }
  return std::min(line.find(',', at), line.size());  // never closed: a text like any other
}

std::string unquoted(const std::string& value) {
  if (!value.starts_with('"')) return value;
  try {
    const Json text = parse_json(value, "value");
    return text.is_string() ? text.get<std::string>() : value;
  } catch (const Error&) {  // a quote that stands for itself
    return value;
  }
}

// "Steps: 20, Sampler: Euler a": in their order.
std::vector<std::pair<std::string, std::string>> settings_of(const std::string& line) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (size_t at = 0; at < line.size();) {
    const size_t colon = line.find(": ", at);
    if (colon == std::string::npos) break;
    const size_t end = end_of_value(line, colon + 2);
    const size_t begin = line.find_first_not_of(" ,", at);
    settings.emplace_back(line.substr(begin, colon - begin), unquoted(line.substr(colon + 2, end - colon - 2)));
    at = std::min(line.find(',', end), line.size() - 1) + 1;
  }
  return settings;
}

std::string without_line_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

// The beginning of the line with the settings; npos: there is none. Extensions write lines of their own behind it.
size_t find_settings(const std::string& text) {
  for (size_t begin = text.rfind('\n');; begin = begin == 0 ? std::string::npos : text.rfind('\n', begin - 1)) {
    const size_t line = begin == std::string::npos ? 0 : begin + 1;
    const bool is_last = text.find('\n', line) == std::string::npos;
    if ((is_last || text.compare(line, 7, "Steps: ") == 0) &&
        settings_of(text.substr(line, text.find('\n', line) - line)).size() >= least_settings)
      return line;
    if (begin == std::string::npos) return begin;
  }
}

}  // namespace

Infotext read_infotext(const std::string& text) {
  Infotext read;
  const std::string whole = without_line_end(text);
  const size_t line = find_settings(whole);
  if (line != std::string::npos) {
    const size_t end = std::min(whole.find('\n', line), whole.size());
    read.settings = settings_of(whole.substr(line, end - line));
    for (auto& [name, value] : settings_of(whole.substr(std::min(end + 1, whole.size()))))
      read.settings.emplace_back(std::move(name), std::move(value));
  }
  std::string prompts = line == std::string::npos ? whole : whole.substr(0, line == 0 ? 0 : line - 1);
  const std::string mark = "Negative prompt:";
  const auto at = prompts.starts_with(mark) ? 0 : prompts.find("\n" + mark);
  if (at != std::string::npos) {
    const std::string negative = prompts.substr(prompts.find(mark, at) + mark.size());
    read.negative_prompt = without_line_end(negative.substr(std::min(negative.find_first_not_of(' '), negative.size())));
    prompts.resize(at);
  }
  read.prompt = without_line_end(prompts);
  return read;
}

}  // namespace negativa
