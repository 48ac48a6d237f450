#include "experiment/axes.h"

#include <cmath>
#include <filesystem>

namespace negativa {

namespace {

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object()) return "prompt";  // { same_as = "prompt" }
  if (!value.is_array()) return plain_number(value).dump();
  if (value.empty()) return "none";
  std::string text;
  for (const Json& one : value) text += (text.empty() ? "" : "+") + text_of(one);
  return text;
}

}  // namespace

Json plain_number(const Json& value) {
  constexpr double exact = 1e15;
  if (!value.is_number_float()) return value;
  const double number = value.get<double>();
  return number == std::trunc(number) && std::abs(number) < exact ? Json(static_cast<int64_t>(number)) : value;
}

OptionAxis axis_of(const TomlSource& source, const TomlEntry& entry) {
  OptionAxis axis{entry.key, entry.path, {}, entry.value->is_array(), {}};
  if (!axis.is_named) {
    axis.values.push_back(*entry.value);
  } else {
    for (const Json& value : *entry.value)
      axis.values.push_back(is_list_option(entry.key) && !value.is_array() ? Json::array({value}) : value);
  }
  check(!axis.values.empty(), ErrorKind::input, "[{}] {} has no values", source.where(entry.path), entry.path);
  for (const Json& value : axis.values) axis.texts.push_back(text_of(value));
  return axis;
}

bool next_turn(const std::vector<OptionAxis>& axes, Turn& turn) {
  size_t axis = axes.size();
  while (axis > 0 && ++turn[axis - 1] == axes[axis - 1].values.size()) turn[--axis] = 0;
  return axis > 0;
}

std::vector<std::pair<std::string, std::string>> combination_texts(const std::vector<OptionAxis>& axes, const Turn& turn) {
  std::vector<std::pair<std::string, std::string>> texts;
  for (size_t i = 0; i < axes.size(); ++i) texts.emplace_back(axes[i].key, axes[i].texts[turn[i]]);
  return texts;
}

std::string combination_name(const std::vector<OptionAxis>& axes, const Turn& turn) {
  std::string name;
  for (size_t i = 0; i < axes.size(); ++i)
    if (axes[i].is_named) name += (name.empty() ? "" : ",") + axes[i].key + "=" + axes[i].texts[turn[i]];
  if (name.empty()) name = axes.front().key + "=" + std::filesystem::path(axes.front().texts[turn.front()]).filename().string();
  return name;
}

}  // namespace negativa
