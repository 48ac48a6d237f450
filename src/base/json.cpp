#include "base/json.h"

#include <locale.h>

#include <charconv>
#include <cmath>
#include <set>

#include "base/files.h"

namespace negativa {

namespace {

constexpr int max_depth = 64;

// Counts brackets outside strings. Syntax is the parser's business; only a text that would nest too deep must not reach it.
void check_depth(std::string_view text, std::string_view where) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      check(++depth <= max_depth, ErrorKind::file_format, "[{}] the JSON is nested deeper than {} levels, expected less", where,
            max_depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
}

// The parser's "[json.exception.parse_error.101] parse error at line 1 …" without its prefix and without bytes a terminal may not
// show.
std::string readable(std::string message) {
  if (const auto end = message.find("] "); end != std::string::npos) message.erase(0, end + 2);
  for (char& c : message)
    if (c < 0x20 || c == 0x7f) c = '?';
  if (message.size() > 200) message = message.substr(0, 200) + "...";
  return message;
}

// Numbers that JSON lacks and Python writes all the same: json.dumps(float("-inf")) is -Infinity. The parser is given a string in
// their place that no file holds, and what it reads is turned back.
struct PythonNumber {
  std::string_view text;  // as in the file
  double value;
};
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr PythonNumber python_numbers[] = {
    {"NaN", std::numeric_limits<double>::quiet_NaN()}, {"-Infinity", -infinity}, {"Infinity", infinity}};
constexpr std::string_view mark("\0", 1), mark_as_json = "\"\\u0000";

const PythonNumber* python_number_at(std::string_view text, size_t at) {
  for (const auto& number : python_numbers)
    if (text.substr(at).starts_with(number.text)) return &number;
  return nullptr;
}

std::string with_python_numbers_marked(std::string_view text) {
  std::string marked;
  marked.reserve(text.size());
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto* number = !in_string && (c == 'N' || c == 'I' || c == '-') ? python_number_at(text, i) : nullptr;
    if (number) {
      marked.append(mark_as_json).append(number->text).append("\"");
      i += number->text.size() - 1;
      continue;
    }
    if (c == '"') in_string = !in_string;
    marked += c;
    if (c == '\\' && in_string && i + 1 < text.size()) marked += text[++i];
  }
  return marked;
}

// nullptr: the value is what it seems.
const PythonNumber* marked_number(const Json& value) {
  if (!value.is_string()) return nullptr;
  const std::string_view text = value.get_ref<const std::string&>();
  if (!text.starts_with(mark)) return nullptr;
  for (const auto& number : python_numbers)
    if (text.substr(mark.size()) == number.text) return &number;
  return nullptr;
}

// Remembers the keys of every object that is open, and refuses a second one of the same name.
class ParseWatch {
 public:
  ParseWatch(std::string_view where, DuplicateKeys duplicates) : where_(where), duplicates_(duplicates) {}

  bool operator()(Json::parse_event_t event, Json& parsed) {
    if (const auto* number = marked_number(parsed)) {
      check(event == Json::parse_event_t::value, ErrorKind::file_format, "[{}] is not valid JSON: {} for a key", where_,
            number->text);
      parsed = number->value;
    }
    if (duplicates_ == DuplicateKeys::last_wins) return true;
    if (event == Json::parse_event_t::object_start) open_.emplace_back();
    if (event == Json::parse_event_t::object_end) open_.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!open_.back().insert(key).second)
        fail(ErrorKind::file_format, "[{}] the key {} appears twice in one JSON object", where_, json_excerpt(parsed));
    }
    return true;
  }

 private:
  std::string_view where_;
  DuplicateKeys duplicates_;
  std::vector<std::set<std::string>> open_;
};

void append_canonical(std::string& out, const Json& value) {
  if (value.is_object()) {
    out += '{';
    for (bool first = true; const auto& [key, element] : value.items()) {  // nlohmann::json keeps objects sorted by key
      if (!first) out += ',';
      first = false;
      out += Json(key).dump() + ':';
      append_canonical(out, element);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (bool first = true; const auto& element : value) {
      if (!first) out += ',';
      first = false;
      append_canonical(out, element);
    }
    out += ']';
  } else if (value.is_number_float()) {
    const double number = value.get<double>();
    check(std::isfinite(number), ErrorKind::input, "[json] got {}, expected a finite number: JSON has no other", number);
    char text[32];
    const std::string_view shortest(text, std::to_chars(text, text + sizeof text, number).ptr - text);
    out += shortest;
    if (shortest.find_first_of(".e") == std::string_view::npos) out += ".0";  // stays a float when read again
  } else {
    out += value.dump();
  }
}

// A program that embeds this may have set a locale whose decimal point is a comma, or several bytes, which the parser's strtod
// would expect.
class PlainNumbers {
 public:
  PlainNumbers() : before_(::uselocale(plain())) {}
  ~PlainNumbers() { ::uselocale(before_); }
  PlainNumbers(const PlainNumbers&) = delete;

 private:
  static locale_t plain() {
    static const locale_t made = ::newlocale(LC_ALL_MASK, "C", nullptr);
    return made;
  }
  const locale_t before_;  // of this thread
};

}  // namespace

Json parse_json(std::string_view text, std::string_view where, DuplicateKeys duplicates) {
  check_depth(text, where);
  const PlainNumbers plain;
  try {
    ParseWatch watch(where, duplicates);
    return Json::parse(with_python_numbers_marked(text),
                       [&](int, Json::parse_event_t event, Json& parsed) { return watch(event, parsed); });
  } catch (const Json::exception& error) {
    fail(ErrorKind::file_format, "[{}] is not valid JSON: {}", where, readable(error.what()));
  }
}

Json read_json_file(const std::filesystem::path& path, uint64_t max_bytes) {
  return parse_json(read_file(path, max_bytes), path.string());
}

std::string canonical_json(const Json& value) {
  std::string out;
  try {
    append_canonical(out, value);
  } catch (const Json::exception& error) {  // a string that is not UTF-8
    fail(ErrorKind::input, "[json] cannot be written: {}", readable(error.what()));
  }
  return out;
}

namespace {
const Json& get_container(const Json& object, const std::string& key, std::string_view where, Json::value_t type) {
  if (!object.is_object()) fail(ErrorKind::file_format, "[{}] got {}, expected a JSON object", where, json_excerpt(object));
  const char* expected = type == Json::value_t::object ? "an object" : "a list";
  const auto found = object.find(key);
  check(found != object.end(), ErrorKind::missing_key, "[{}] has no \"{}\", expected {}", where, key, expected);
  if (found->type() != type)
    fail(ErrorKind::file_format, "[{}] \"{}\": got {}, expected {}", where, key, json_excerpt(*found), expected);
  return *found;
}
}  // namespace

const Json& get_object(const Json& object, const std::string& key, std::string_view where) {
  return get_container(object, key, where, Json::value_t::object);
}

const Json& get_list(const Json& object, const std::string& key, std::string_view where) {
  return get_container(object, key, where, Json::value_t::array);
}

std::string json_excerpt(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_number_float() && std::isnan(value.get<double>())) return "NaN";
  if (value.is_number_float() && std::isinf(value.get<double>())) return value.get<double>() > 0 ? "inf" : "-inf";
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);  // ASCII only, so cutting it is safe
  return text.size() > 40 ? text.substr(0, 37) + "..." : text;
}

}  // namespace negativa
