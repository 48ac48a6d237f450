#include <cmath>

#include "base/json.h"
#include "runs/run_plan.h"

namespace negativa {

namespace {

Json metrics_json(const CellRecord& record) {
  Json json = Json::object();
  for (const auto& [name, value] : record.metrics) {
    check(!value || std::isfinite(*value), ErrorKind::input, "[metrics] {}: got {}, expected a finite number, or none", name,
          value.value_or(0));
    json[name] = value ? Json(*value) : Json();
  }
  return json;
}

}  // namespace

std::string CellRecord::to_text() const {
  Json files = Json::array(), timings = Json::object();
  for (const auto& input : inputs) files.push_back({{"role", input.role}, {"name", input.name}, {"sha256", input.sha256}});
  for (const auto& [name, seconds] : timings_s) timings[name] = std::isfinite(seconds) ? Json(seconds) : Json();
  Json json = {{"address", address},         {"stage", stage_name(stage)},
               {"format", format},           {"recipe", parse_json(recipe_json, "recipe of a " + stage_name(stage) + " cell")},
               {"inputs", std::move(files)}, {"timings_s", std::move(timings)},
               {"processor", processor},     {"program_version", program_version},
               {"threads", threads}};
  if (stage == CellStage::metrics) {
    json["metrics"] = metrics_json(*this);
  } else {
    json["sha256"] = sha256;
    json["bytes"] = bytes;
  }
  return canonical_json(json) + "\n";
}

CellRecord CellRecord::from_text(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  CellRecord record;
  record.address = get<std::string>(json, "address", where);
  record.stage = stage_from_name(get<std::string>(json, "stage", where), where);
  record.format = get<int>(json, "format", where);
  record.recipe_json = canonical_json(get_object(json, "recipe", where));
  for (const auto& input : get_list(json, "inputs", where))
    record.inputs.push_back({get<std::string>(input, "role", where), get<std::string>(input, "name", where),
                             get<std::string>(input, "sha256", where)});
  for (const auto& [name, seconds] : get_object(json, "timings_s", where).items())
    if (!seconds.is_null()) record.timings_s[name] = get<double>(json["timings_s"], name, where);
  record.processor = get<std::string>(json, "processor", where);
  record.program_version = get<std::string>(json, "program_version", where);
  record.threads = get<int>(json, "threads", where);
  if (record.stage != CellStage::metrics) {
    record.sha256 = get<std::string>(json, "sha256", where);
    record.bytes = get<uint64_t>(json, "bytes", where);
    return record;
  }
  const Json& metrics = get_object(json, "metrics", where);
  for (const auto& [name, value] : metrics.items()) {
    std::optional<double> number;
    if (!value.is_null()) number = get<double>(metrics, name, where);
    if (number && !std::isfinite(*number))
      fail(ErrorKind::file_format, "[{}] {}: got {}, expected a finite number", where, name, json_excerpt(value));
    record.metrics[name] = number;
  }
  return record;
}

}  // namespace negativa
