#include "experiment/toml_table.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace negativa {

int TomlSource::line(std::string path) const {
  while (!path.empty()) {
    if (const auto found = positions.find(path); found != positions.end()) return found->second.line;
    const auto end = path.find_last_of(".[");
    path.resize(end == std::string::npos ? 0 : end);
  }
  return 1;
}

std::string TomlSource::where(const std::string& path) const {
  return positions.empty() ? file : fmt::format("{} line {}", file, line(path));
}

std::string TomlSource::where_and_path(const std::string& path) const { return fmt::format("{}, {}", where(path), path); }

TomlTable::TomlTable(const TomlSource& source, const Json& value, std::string path)
    : source_(source), value_(value), path_(std::move(path)) {
  check(value.is_object(), ErrorKind::input, "[{}] {} is {}, expected a table: [{}]", where(), path_, json_excerpt(value), path_);
}

std::vector<TomlEntry> TomlTable::entries() const {
  std::vector<TomlEntry> entries;
  for (const auto& [key, value] : value_.items()) entries.push_back({key, toml_path(path_, key), &value});
  const auto position = [&](const TomlEntry& entry) {
    const auto found = source_.positions.find(entry.path);
    return found == source_.positions.end() ? TomlPosition{source_.line(entry.path), 0} : found->second;
  };
  std::stable_sort(entries.begin(), entries.end(),
                   [&](const TomlEntry& a, const TomlEntry& b) { return position(a) < position(b); });
  return entries;
}

const Json* TomlTable::find(const std::string& key) const {
  const auto found = value_.find(key);
  return found == value_.end() ? nullptr : &*found;
}

void refuse_unknown(const TomlSource& source, const TomlEntry& entry, std::span<const std::string> known) {
  const auto cut = entry.path.size() - std::min(entry.path.size(), toml_path("", entry.key).size());
  const std::string table = cut > 0 ? entry.path.substr(0, cut - 1) : "";
  fail(ErrorKind::input, "[{}] {} the unknown key {}{}", source.where(entry.path),
       table.empty() ? "the file has" : table + " has", json_excerpt(entry.key), did_you_mean(entry.key, known));
}

Field& set_entry(Fields& fields, const TomlSource& source, const TomlEntry& entry, std::span<const RefusedKey> refused,
                 std::span<const std::string> others) {
  Field* field = find_field(fields, entry.key);
  const auto refusal = [&](const std::string& name) {
    return std::find_if(refused.begin(), refused.end(), [&](const RefusedKey& key) { return key.key == name; });
  };
  const auto reason = refusal(field ? field->name : entry.key);
  check(reason == refused.end(), ErrorKind::input, "[{}] {} cannot be set here: {}", source.where(entry.path), entry.path,
        reason == refused.end() ? "" : reason->reason);
  if (!field) {
    std::vector<std::string> known(others.begin(), others.end());
    for (const auto& one : fields)
      if (refusal(one.name) == refused.end()) known.push_back(one.name);
    refuse_unknown(source, entry, known);
  }
  check(field->source.rank < Source::file, ErrorKind::input, "[{}] {} is set twice, once under the name of its flag",
        source.where(entry.path), entry.path);
  Json one = Json::object();
  one[entry.key] = *entry.value;
  set_from_json(fields, one, {Source::file, source.where(entry.path)});
  return *field;
}

void set_entries(Fields& fields, const TomlTable& table, std::span<const RefusedKey> refused,
                 std::span<const std::string> others) {
  for (const auto& entry : table.entries())
    if (std::find(others.begin(), others.end(), entry.key) == others.end())
      set_entry(fields, table.source(), entry, refused, others);
}

void check_table_name(const TomlSource& source, const TomlEntry& entry) {
  constexpr size_t longest = 64;
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  const bool good = !entry.key.empty() && entry.key.size() <= longest && entry.key.front() != '.' &&
                    std::all_of(entry.key.begin(), entry.key.end(), allowed);
  check(good, ErrorKind::input, "[{}] got the name {}, expected at most {} letters, digits, '-', '_' and '.', not '.' first",
        source.where(entry.path), json_excerpt(entry.key), longest);
}

namespace {
template <class T>
std::vector<T> list_of(const TomlSource& source, const TomlEntry& entry, std::string_view expected) {
  std::vector<T> values;
  const Json list = entry.value->is_array() ? *entry.value : Json::array({*entry.value});
  for (size_t i = 0; i < list.size(); ++i) {
    bool good = json_holds<T>(list[i]);
    if constexpr (std::is_floating_point_v<T>) good = good && std::isfinite(list[i].get<T>());
    check(good, ErrorKind::input, "[{}] {}: got {}, expected {}",
          source.where(entry.value->is_array() ? toml_path(entry.path, i) : entry.path), entry.path, json_excerpt(list[i]),
          expected);
    values.push_back(list[i].get<T>());
  }
  return values;
}
}  // namespace

std::vector<std::string> texts_of(const TomlSource& source, const TomlEntry& entry) {
  return list_of<std::string>(source, entry, "a text or a list of texts");
}
std::vector<double> numbers_of(const TomlSource& source, const TomlEntry& entry) {
  return list_of<double>(source, entry, "a number or a list of numbers");
}
std::vector<int64_t> integers_of(const TomlSource& source, const TomlEntry& entry) {
  return list_of<int64_t>(source, entry, "an integer or a list of integers");
}

}  // namespace negativa
