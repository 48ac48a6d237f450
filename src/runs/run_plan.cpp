#include "runs/run_plan.h"

#include <algorithm>
#include <unordered_map>

#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"
#include "runs/address.h"
#include "runs/cell_files.h"

namespace negativa {

namespace {

constexpr int plan_format = 1;

const std::vector<std::string>& stage_names() {
  static const std::vector<std::string> names = {"set-picture", "set",         "lora",    "random-lora", "merged-lora",
                                                 "embedding",   "calibration", "picture", "metrics"};
  return names;
}

Json json_of(const std::vector<RecipeInput>& inputs) {
  Json list = Json::array();
  for (const auto& input : inputs) list.push_back({{"role", input.role}, {"name", input.name}, {"sha256", input.sha256}});
  return list;
}

Json json_of(const PlannedPrompt& prompt) {
  return {{"text", prompt.text}, {"group", prompt.group}, {"list", prompt.list}, {"noise_seeds", prompt.noise_seeds}};
}

Json json_of(const PlannedArm& arm, std::string_view where) {
  Json axes = Json::array();
  for (const auto& [option, value] : arm.axes) axes.push_back({option, value});
  return {{"name", arm.name},
          {"sweep", arm.sweep},
          {"of_arm", arm.of_arm},
          {"axes", axes},
          {"overrides", parse_json(arm.overrides_json, where)},
          {"settings", parse_json(arm.settings_json, where)},
          {"trainings", arm.trainings},
          {"replicates", arm.replicates},
          {"list", arm.list}};
}

Json json_of(const AnalysisPlan& analysis) {
  return {{"metric", analysis.metric},       {"guard", analysis.guard},     {"primary", analysis.primary},
          {"secondary", analysis.secondary}, {"metrics", analysis.metrics}, {"claim", analysis.claim},
          {"level", analysis.level}};
}

// There are many cells: what a cell has not is left out.
Json json_of(const PlannedCell& cell) {
  Json json = {{"stage", stage_name(cell.stage)}, {"address", cell.address}, {"file", cell.file}};
  if (!cell.inputs.empty()) json["inputs"] = cell.inputs;
  if (cell.arm >= 0) json["arm"] = cell.arm;
  if (cell.prompt >= 0) json["prompt"] = cell.prompt;
  if (cell.replicate >= 0) json["replicate"] = cell.replicate;
  if (cell.training >= 0) json["training"] = cell.training;
  if (!cell.name.empty()) json["name"] = cell.name;
  return json;
}

// All but the TOML's text.
Json json_of(const RunPlan& plan) {
  Json prompts = Json::array(), arms = Json::array(), cells = Json::array();
  for (const auto& prompt : plan.prompts) prompts.push_back(json_of(prompt));
  for (const auto& arm : plan.arms) arms.push_back(json_of(arm, "arm " + arm.name));
  for (const auto& cell : plan.cells) cells.push_back(json_of(cell));
  return {{"plan_format", plan_format},
          {"name", plan.name},
          {"config", parse_json(plan.config_json, "configuration of the plan")},
          {"base_seeds", plan.base_seeds},
          {"inputs", json_of(plan.inputs)},
          {"damages", plan.damages},
          {"uncalibrated", plan.uncalibrated},
          {"prompts", std::move(prompts)},
          {"arms", std::move(arms)},
          {"analysis", json_of(plan.analysis)},
          {"metric_names", plan.metric_names},
          {"cells", std::move(cells)},
          {"counts_test_run", plan.counts_test_run}};
}

PlannedPrompt prompt_of(const Json& json, std::string_view where) {
  return {get<std::string>(json, "text", where), get<std::string>(json, "group", where), get<std::string>(json, "list", where),
          get<std::vector<uint64_t>>(json, "noise_seeds", where)};
}

PlannedArm arm_of(const Json& json, std::string_view where) {
  PlannedArm arm;
  arm.name = get<std::string>(json, "name", where);
  arm.sweep = get<std::string>(json, "sweep", where);
  arm.of_arm = get<std::string>(json, "of_arm", where);
  for (const auto& axis : get_list(json, "axes", where)) {
    check(json_holds<std::vector<std::string>>(axis) && axis.size() == 2, ErrorKind::file_format,
          "[{}] \"axes\": got {}, expected an option and its value", where, json_excerpt(axis));
    arm.axes.emplace_back(axis[0].get<std::string>(), axis[1].get<std::string>());
  }
  arm.overrides_json = canonical_json(get_object(json, "overrides", where));
  arm.settings_json = canonical_json(get_object(json, "settings", where));
  arm.trainings = get<int>(json, "trainings", where);
  arm.replicates = get<int>(json, "replicates", where);
  arm.list = get<std::string>(json, "list", where);
  return arm;
}

AnalysisPlan analysis_of(const Json& json, std::string_view where) {
  AnalysisPlan analysis;
  analysis.metric = get<std::string>(json, "metric", where);
  analysis.guard = get<std::string>(json, "guard", where);
  analysis.primary = get<std::string>(json, "primary", where);
  analysis.secondary = get<std::vector<std::string>>(json, "secondary", where);
  analysis.metrics = get<std::vector<std::string>>(json, "metrics", where);
  analysis.claim = get<std::string>(json, "claim", where);
  analysis.level = get<double>(json, "level", where);
  return analysis;
}

PlannedCell cell_of(const Json& json, std::string_view where) {
  PlannedCell cell;
  cell.stage = stage_from_name(get<std::string>(json, "stage", where), where);
  cell.address = get<std::string>(json, "address", where);
  cell.file = get<std::string>(json, "file", where);
  cell.inputs = get_or<std::vector<size_t>>(json, "inputs", {}, where);
  cell.arm = get_or(json, "arm", -1, where);
  cell.prompt = get_or(json, "prompt", -1, where);
  cell.replicate = get_or(json, "replicate", -1, where);
  cell.training = get_or(json, "training", -1, where);
  cell.name = get_or<std::string>(json, "name", "", where);
  return cell;
}

RunPlan plan_of(const Json& json, std::string_view where) {
  RunPlan plan;
  plan.name = get<std::string>(json, "name", where);
  plan.config_json = canonical_json(get_object(json, "config", where));
  plan.base_seeds = get<std::vector<uint64_t>>(json, "base_seeds", where);
  for (const auto& input : get_list(json, "inputs", where))
    plan.inputs.push_back({get<std::string>(input, "role", where), get<std::string>(input, "name", where),
                           get<std::string>(input, "sha256", where)});
  plan.damages = get<std::vector<std::string>>(json, "damages", where);
  plan.uncalibrated = get<std::string>(json, "uncalibrated", where);
  for (const auto& prompt : get_list(json, "prompts", where)) plan.prompts.push_back(prompt_of(prompt, where));
  for (const auto& arm : get_list(json, "arms", where)) plan.arms.push_back(arm_of(arm, where));
  plan.analysis = analysis_of(get_object(json, "analysis", where), where);
  plan.metric_names = get<std::vector<std::string>>(json, "metric_names", where);
  for (const auto& cell : get_list(json, "cells", where)) plan.cells.push_back(cell_of(cell, where));
  plan.counts_test_run = get<bool>(json, "counts_test_run", where);
  return plan;
}

// Whether a path stays where cells belong, whatever wrote it.
bool is_cell_file(std::string_view file) {
  if (std::any_of(file.begin(), file.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return false;
  size_t parts = 0;
  for (size_t begin = 0; begin <= file.size(); ++parts) {
    const size_t end = std::min(file.find('/', begin), file.size());
    const std::string_view part = file.substr(begin, end - begin);
    if (part.empty() || part.front() == '.') return false;  // "..", "." and names of temporary files too
    if (parts == 0 && !is_cell_folder(part)) return false;
    begin = end + 1;
  }
  return parts > 1;
}

// Numbers that a cell has of lists; -1: none.
void check_place(const RunPlan& plan, const PlannedCell& cell, std::string_view where) {
  const auto is_in = [](int number, size_t count) { return number >= -1 && (number < 0 || static_cast<size_t>(number) < count); };
  check(is_in(cell.arm, plan.arms.size()) && is_in(cell.prompt, plan.prompts.size()) && cell.training >= -1,
        ErrorKind::file_format,
        "[{}] the cell {}: got arm {}, prompt {}, training {}, expected numbers of {} arms and {} prompts", where, cell.file,
        cell.arm, cell.prompt, cell.training, plan.arms.size(), plan.prompts.size());
  const size_t replicates = cell.prompt < 0 ? 0 : plan.prompts[static_cast<size_t>(cell.prompt)].noise_seeds.size();
  check(is_in(cell.replicate, replicates), ErrorKind::file_format,
        "[{}] the cell {}: got replicate {}, expected one of {} noise seeds of its prompt", where, cell.file, cell.replicate,
        replicates);
  const bool is_of_an_arm = cell.stage == CellStage::picture || cell.stage == CellStage::metrics;
  check(!is_of_an_arm || (cell.arm >= 0 && cell.prompt >= 0 && cell.replicate >= 0), ErrorKind::file_format,
        "[{}] the cell {} has no arm, prompt or replicate, expected all three of a {}", where, cell.file, stage_name(cell.stage));
  check(cell.stage != CellStage::metrics || !cell.inputs.empty(), ErrorKind::file_format,
        "[{}] the cell {} has no inputs, expected the picture first", where, cell.file);
}

void check_cell(const RunPlan& plan, size_t number, std::string_view where) {
  const PlannedCell& cell = plan.cells[number];
  if (!is_cell_file(cell.file))
    fail(ErrorKind::file_format,
         "[{}] a cell's file is {}, expected a name within pictures/, metrics/, lora/, embeddings/, sets/ or calibration/", where,
         json_excerpt(cell.file));
  if (!is_sha256(cell.address))
    fail(ErrorKind::file_format, "[{}] the cell {}: got address {}, expected 64 hexadecimal digits", where, cell.file,
         json_excerpt(cell.address));
  for (const size_t input : cell.inputs)
    check(input < number, ErrorKind::file_format, "[{}] the cell {} is number {}: got input {}, expected earlier cells", where,
          cell.file, number, input);
  check_place(plan, cell, where);
}

}  // namespace

std::string stage_name(CellStage stage) { return stage_names().at(static_cast<size_t>(stage)); }

CellStage stage_from_name(std::string_view name, std::string_view where) {
  static_assert(static_cast<size_t>(CellStage::metrics) + 1 == cell_stages);
  const auto& names = stage_names();
  const auto found = std::find(names.begin(), names.end(), name);
  check(found != names.end(), ErrorKind::file_format,
        "[{}] got the stage {}, expected one of {}; another version of negativa may have written it", where,
        json_excerpt(std::string(name)), joined(names, ", "));
  return static_cast<CellStage>(found - names.begin());
}

std::filesystem::path PlannedCell::record_file() const {
  std::filesystem::path record = file;
  if (stage == CellStage::metrics) return record;
  return record.replace_extension(record.extension() == ".json" ? ".record.json" : ".json");
}

void RunPlan::check_whole(std::string_view where) const {
  std::unordered_map<std::string_view, const PlannedCell*> by_file;
  std::unordered_map<std::string, const PlannedCell*> by_name;  // of files and records
  by_file.reserve(cells.size());
  by_name.reserve(2 * cells.size());
  for (size_t i = 0; i < cells.size(); ++i) {
    const PlannedCell& cell = cells[i];
    check_cell(*this, i, where);
    const auto [first, is_new] = by_file.try_emplace(cell.file, &cell);
    check(first->second->address == cell.address && first->second->stage == cell.stage, ErrorKind::file_format,
          "[{}] two cells have the file {} and different addresses, expected one file for one address", where, cell.file);
    if (!is_new) continue;
    for (const std::string& name : {cell.file, cell.record_file().string()}) {
      const auto [other, is_own] = by_name.try_emplace(name, &cell);
      check(is_own || other->second == &cell, ErrorKind::file_format,
            "[{}] the cells {} and {} would share the file {}, expected one each", where, cell.file, other->second->file, name);
    }
  }
}

std::string RunPlan::hash() const { return sha256_hex(canonical_json(json_of(*this))); }

std::string RunPlan::to_text() const {
  Json json = json_of(*this);
  json["hash"] = sha256_hex(canonical_json(json));
  json["toml"] = toml;
  std::string text = "{";
  for (bool first = true; const auto& [key, value] : json.items()) {
    text += fmt::format("{}\n\"{}\": ", first ? "" : ",", key);
    first = false;
    if (!value.is_array() || value.empty() || !value.front().is_object()) {
      text += canonical_json(value);
      continue;
    }
    for (size_t i = 0; i < value.size(); ++i) text.append(i == 0 ? "[\n" : ",\n").append(canonical_json(value[i]));
    text += "]";
  }
  return text + "\n}\n";
}

RunPlan RunPlan::from_text(std::string_view text, std::string_view where) {
  Json json = parse_json(text, where);
  const int format = get<int>(json, "plan_format", where);
  check(format == plan_format, ErrorKind::file_format,
        "[{}] is a plan of format {}, expected {}: another version of negativa wrote it", where, format, plan_format);
  RunPlan plan = plan_of(json, where);
  plan.toml = get<std::string>(json, "toml", where);
  const auto hash = get<std::string>(json, "hash", where);
  json.erase("hash");
  json.erase("toml");
  check(sha256_hex(canonical_json(json)) == hash, ErrorKind::file_format,
        "[{}] is damaged or was edited: it does not have the hash it was written with; put a copy in its place, or begin another "
        "run "
        "with -o",
        where);
  plan.check_whole(where);
  return plan;
}

}  // namespace negativa
