#include "base/config_reader.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace negativa {

ConfigReader::ConfigReader(std::string_view text, std::string where, DuplicateKeys duplicates)
    : ConfigReader(std::make_shared<const Json>(parse_json(text, where, duplicates)), where, "") {}

ConfigReader ConfigReader::of(Json object, std::string where) {
  return {std::make_shared<const Json>(std::move(object)), std::move(where), ""};
}

const Json& ConfigReader::value(const std::string& key) const {
  static const Json absent;
  const auto found = object_->find(key);
  return found == object_->end() ? absent : *found;
}

void ConfigReader::require(const std::string& key, std::string_view expected) const {
  negativa::check(has(key), ErrorKind::missing_key, "[{}] has no \"{}\", expected {}", where_, path(key), expected);
}

void ConfigReader::refuse(const std::string& key, const Json& got, std::string_view expected) const {
  fail(ErrorKind::file_format, "[{}] \"{}\": got {}, expected {}", where_, path(key),
       got.is_null() ? "nothing" : json_excerpt(got), expected);
}

void ConfigReader::check_finite(const std::string& key, const Json& number) const {
  if (std::isnan(number.get<double>())) refuse(key, number, "a number");
  if (!std::isfinite(number.get<double>())) refuse(key, number, "a finite number");
}

void ConfigReader::read_size(const std::string& key, int64_t& value, int64_t largest) const {
  read(key, value);
  check(value >= 1 && value <= largest, key, "1 to {}", largest);
}

void ConfigReader::read_positive(const std::string& key, double& value) const {
  read_number(key, value);
  check(value > 0 && std::isfinite(value), key, "more than 0");
}

void ConfigReader::read_number(const std::string& key, double& number) const {
  if (!has(key)) return;
  check(value(key).is_number() && !std::isnan(value(key).get<double>()), key, "a number");
  number = value(key).get<double>();
}

std::vector<int64_t> ConfigReader::need_sizes(const std::string& key) const {
  auto sizes = need<std::vector<int64_t>>(key);
  check(!sizes.empty(), key, "a list of at least one number");
  for (size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] < 1 || sizes[i] > largest_size)
      refuse(fmt::format("{}[{}]", key, i), sizes[i], fmt::format("1 to {}", largest_size));
  return sizes;
}

std::string ConfigReader::one_of(const std::string& key, const std::string& fallback,
                                 const std::vector<std::string>& allowed) const {
  auto text = get<std::string>(key, fallback);
  check(std::find(allowed.begin(), allowed.end(), text) != allowed.end(), key, "{}", fmt::join(allowed, " or "));
  return text;
}

void ConfigReader::expect(const std::string& key, const Json& expected, std::string_view hint) const {
  check(!object_->contains(key) || value(key) == expected, key, "{}{}", expected.dump(), hint);
}

ConfigReader ConfigReader::nested(const Json& object, const std::string& key) const {
  return {std::shared_ptr<const Json>(object_, &object), where_, path(key) + "."};
}

ConfigReader ConfigReader::object(const std::string& key) const {
  static const Json none = Json::object();
  if (!has(key)) return nested(none, key);
  check(value(key).is_object(), key, "an object");
  return nested(value(key), key);
}

std::vector<ConfigReader> ConfigReader::objects(const std::string& key) const {
  std::vector<ConfigReader> found;
  if (!has(key)) return found;
  check(value(key).is_array(), key, "a list");
  for (const auto& element : value(key)) {
    const std::string name = fmt::format("{}[{}]", key, found.size());
    if (!element.is_object()) refuse(name, element, "an object");
    found.push_back(nested(element, name));
  }
  return found;
}

}  // namespace negativa
