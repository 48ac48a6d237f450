#include <cmath>
#include <set>

#include "base/config.h"
#include "base/json.h"
#include "base/text.h"

namespace negativa {

namespace {

// A float's shortest decimal text as a double: 0.1f is recorded as 0.1, and reads back as the same float.
double double_from(float value) {
  const double shortest = number_from(fmt::format("{}", value)).value_or(value);
  return static_cast<float>(shortest) == value ? shortest : value;
}

template <class T>
Json json_of(const T& value) {
  if constexpr (std::is_same_v<T, float>)
    return std::isfinite(value) ? double_from(value) : value;
  else if constexpr (std::is_same_v<T, Path>)
    return value.string();
  else
    return value;
}

template <class T>
std::optional<Json> optional_json(const T& value) {
  return json_of(value);
}
template <class T>
std::optional<Json> optional_json(const std::optional<T>& value) {
  return value ? std::optional(json_of(*value)) : std::nullopt;
}

std::optional<Json> json_of_field(const Field& field) {
  return std::visit([](const auto* member) { return optional_json(*member); }, field.value);
}

bool is_unsigned(const Field& field) {
  return std::holds_alternative<uint64_t*>(field.value) || std::holds_alternative<std::optional<uint64_t>*>(field.value);
}

// A scalar as the text that set_from_text reads; absent where the JSON type is not the field's. Seeds may be texts: TOML's
// integers end at 2^63 - 1.
std::optional<std::string> text_for(const Field& field, const Json& value) {
  const std::string type = field.type_name();
  if (type == "true or false") return value.is_boolean() ? std::optional<std::string>(value.dump()) : std::nullopt;
  if (type == "integer" && is_unsigned(field) && value.is_string()) return value.get<std::string>();
  if (type == "integer") return value.is_number_integer() ? std::optional<std::string>(value.dump()) : std::nullopt;
  if (type == "number") {
    if (value.is_number_float()) return fmt::format("{}", value.get<double>());  // dump() would turn NaN into null
    return value.is_number() ? std::optional<std::string>(value.dump()) : std::nullopt;
  }
  return value.is_string() ? std::optional<std::string>(value.get<std::string>()) : std::nullopt;
}

void set_one(Field& field, const Json& value, const Source& source) {
  if (value.is_null()) return;
  std::vector<std::string> texts;
  const bool is_array = field.is_list() && value.is_array();
  for (const auto& element : is_array ? value : Json::array({value})) {
    const auto text = text_for(field, element);
    check(text.has_value(), ErrorKind::input, "[{} in {}] got {}, expected {}", field.name, source.name, json_excerpt(element),
          field.is_list() ? "a list of texts" : field.expected());
    texts.push_back(*text);
  }
  set_from_texts(field, texts, source);
}

}  // namespace

void set_from_json(Fields& fields, const Json& object, const Source& source) {
  check(object.is_object(), ErrorKind::input, "[{}] got {}, expected a table of settings", source.name, json_excerpt(object));
  std::set<const Field*> seen;
  for (const auto& [key, value] : object.items()) {
    Field* field = find_field(fields, key);
    if (!field) {
      std::vector<std::string> names;
      for (const auto& known : fields) names.push_back(known.name);
      fail(ErrorKind::input, "[{}] has the unknown setting {}{}", source.name, json_excerpt(key), did_you_mean(key, names));
    }
    check(seen.insert(field).second, ErrorKind::input, "[{}] sets \"{}\" twice, once under the name of its flag", source.name,
          field->name);
    set_one(*field, value, source);
  }
}

Json to_json(const Fields& fields) {
  Json object = Json::object();
  for (const auto& field : fields)
    if (auto value = json_of_field(field)) object[field.name] = std::move(*value);
  return object;
}

namespace {
// JSON's strings, numbers, booleans and lists of strings are TOML's too, but for integers above 2^63 - 1.
std::string toml_text(const Json& value) {
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  const bool too_large =
      value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return too_large ? "\"" + text + "\"" : text;
}
}  // namespace

std::string print_config(const Fields& fields) {
  std::vector<std::string> settings;
  size_t width = 0;
  for (const auto& field : fields) {
    const auto value = json_of_field(field);
    settings.push_back(value ? fmt::format("{} = {}", field.name, toml_text(*value))
                             : fmt::format("# {} is not set", field.name));
    if (settings.back().size() <= 60) width = std::max(width, settings.back().size());
  }
  std::string text;
  for (size_t i = 0; i < fields.size(); ++i) text += fmt::format("{:<{}}  # {}\n", settings[i], width, fields[i].source.name);
  return text;
}

}  // namespace negativa
