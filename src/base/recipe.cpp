#include "base/recipe.h"

#include <cmath>

#include "base/json.h"
#include "base/proc.h"
#include "base/sha256.h"
#include "base/text.h"

namespace negativa {

namespace {

Json json_of(const std::map<std::string, double>& values) {
  Json object = Json::object();
  for (const auto& [name, value] : values) object[name] = std::isfinite(value) ? Json(value) : Json();
  return object;
}

std::map<std::string, double> values_of(const Json& json, const char* key, std::string_view where) {
  std::map<std::string, double> values;
  const Json& object = get_object(json, key, where);
  for (const auto& [name, value] : object.items()) values[name] = get_or<double>(object, name, std::nan(""), where);
  return values;
}

}  // namespace

std::string Recipe::default_program_version() { return NEGATIVA_VERSION; }

Json Recipe::to_json() const {
  Json files = Json::array();
  for (const auto& input : inputs) files.push_back({{"role", input.role}, {"name", input.name}, {"sha256", input.sha256}});
  Json json = {{"verb", verb},    {"settings", parse_json(settings_json, "recipe settings")},
               {"seed", seed},    {"device", device},
               {"dtype", dtype},  {"threads", threads},
               {"inputs", files}, {"program_version", program_version}};
  if (!isa.empty()) json["isa"] = isa;
  return json;
}

std::string Recipe::to_text() const { return canonical_json(to_json()); }

std::string Recipe::hash() const { return sha256_hex(to_text()); }

Recipe Recipe::from_json(const Json& json, std::string_view where) {
  Recipe recipe;
  recipe.verb = get<std::string>(json, "verb", where);
  recipe.settings_json = canonical_json(get_object(json, "settings", where));
  recipe.seed = get<uint64_t>(json, "seed", where);
  recipe.device = get<std::string>(json, "device", where);
  recipe.dtype = get<std::string>(json, "dtype", where);
  recipe.threads = get<int>(json, "threads", where);
  recipe.isa = get_or<std::string>(json, "isa", "", where);
  recipe.program_version = get<std::string>(json, "program_version", where);
  for (const auto& input : get_list(json, "inputs", where))
    recipe.inputs.push_back({get<std::string>(input, "role", where), get<std::string>(input, "name", where),
                             get<std::string>(input, "sha256", where)});
  return recipe;
}

Recipe Recipe::from_text(std::string_view text, std::string_view where) { return from_json(parse_json(text, where), where); }

std::string RunRecord::to_text() const {
  return canonical_json({{"recipe", recipe.to_json()},
                         {"recipe_hash", recipe.hash()},
                         {"timings_s", json_of(timings_s)},
                         {"metrics", json_of(metrics)},
                         {"peak_memory_bytes", peak_memory_bytes},
                         {"processor", processor},
                         {"graphics", graphics}});
}

RunRecord RunRecord::from_text(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  RunRecord record;
  record.recipe = Recipe::from_json(get_object(json, "recipe", where), where);
  record.timings_s = values_of(json, "timings_s", where);
  record.metrics = values_of(json, "metrics", where);
  record.peak_memory_bytes = get_or<uint64_t>(json, "peak_memory_bytes", 0, where);
  record.processor = get_or<std::string>(json, "processor", "", where);
  record.graphics = get_or<std::string>(json, "graphics", "", where);
  return record;
}

RecipeInput recipe_input(std::string role, const std::filesystem::path& file, const Hashing& hashing) {
  return {std::move(role), nfc(file.filename().string()), cached_sha256_file(file, hashing)};
}

uint64_t peak_memory_bytes() { return bytes_after("/proc/self/status", "VmHWM"); }

std::string processor_name() {
  const std::string name = value_after("/proc/cpuinfo", "model name");
  return name.empty() ? "unknown" : name;
}

}  // namespace negativa
