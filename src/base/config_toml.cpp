#include <toml++/toml.h>

#include <sstream>

#include "base/config.h"
#include "base/files.h"
#include "base/json.h"

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

}  // namespace

Json parse_toml(std::string_view text, std::string_view where) {
  try {
    return json_from(toml::parse(text), where);
  } catch (const toml::parse_error& error) {
    const bool too_large = error.description().find("not representable in 64 bits") != std::string_view::npos;
    fail(ErrorKind::file_format, "[{}] is not valid TOML at line {}: {}{}", where, error.source().begin.line, error.description(),
         too_large ? "; TOML's integers end at 2^63 - 1, so put it in quotes" : "");
  }
}

Json read_toml_file(const std::filesystem::path& path) { return parse_toml(read_file(path, 16 << 20), path.string()); }

void set_from_toml_file(Fields& fields, const std::filesystem::path& path) {
  set_from_json(fields, read_toml_file(path), {Source::file, path.string()});
}

}  // namespace negativa
