#include "runs/run_difference.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/json.h"
#include "base/names.h"
#include "base/text.h"

namespace negativa {

namespace {

// The first lines, and the number of the others.
class Lines {
 public:
  void add(std::string line) {
    if (lines_.size() < RunDifference::most_lines)
      lines_.push_back(std::move(line));
    else
      ++more_;
  }
  bool empty() const { return lines_.empty(); }
  void move_to(std::vector<std::string>& to, std::string_view what) {
    std::move(lines_.begin(), lines_.end(), std::back_inserter(to));
    if (more_ > 0) to.push_back(fmt::format("… and {} more {}", more_, what));
  }

 private:
  std::vector<std::string> lines_;
  size_t more_ = 0;
};

// Two runs as their folders are called.
struct Runs {
  const RunStore &first, &second;
  std::string first_name = first.folder().string(), second_name = second.folder().string();
};

std::string value_text(const Json* value) { return value ? json_excerpt(*value) : "absent"; }

const Json* member(const Json& object, const std::string& key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

// The values that differ, each with its path: "config.arms.word.negative_prompt". nullptr: absent.
void add_differences(Lines& lines, const Runs& runs, const std::string& path, const Json* first, const Json* second) {
  if (first && second && *first == *second) return;
  if (first && second && first->is_object() && second->is_object()) {
    for (const auto& [key, value] : first->items()) add_differences(lines, runs, path + "." + key, &value, member(*second, key));
    for (const auto& [key, value] : second->items())
      if (!first->contains(key)) add_differences(lines, runs, path + "." + key, nullptr, &value);
  } else if (first && second && first->is_array() && second->is_array() && first->size() == second->size()) {
    for (size_t i = 0; i < first->size(); ++i)
      add_differences(lines, runs, fmt::format("{}[{}]", path, i), &(*first)[i], &(*second)[i]);
  } else {
    lines.add(fmt::format("plan: {} is {} in {}, {} in {}", path, value_text(first), runs.first_name, value_text(second),
                          runs.second_name));
  }
}

Json prompts_json(const RunPlan& plan) {
  Json prompts = Json::array();
  for (const auto& prompt : plan.prompts)
    prompts.push_back({{"text", prompt.text}, {"group", prompt.group}, {"list", prompt.list}});
  return prompts;
}

// What a plan's cells follow from, causes before what they cause.
std::vector<std::pair<std::string, Json>> causes(const RunPlan& plan) {
  Json inputs = Json::object(), arms = Json::object();
  for (const auto& input : plan.inputs) inputs[input.role + " " + input.name] = input.sha256;
  for (const auto& arm : plan.arms) arms[arm.name] = parse_json(arm.settings_json, "settings of the arm " + arm.name);
  return {{"name", plan.name},
          {"config", parse_json(plan.config_json, "configuration of the plan")},
          {"base_seeds", plan.base_seeds},
          {"inputs", std::move(inputs)},
          {"damages", plan.damages},
          {"metric_names", plan.metric_names},
          {"prompts", prompts_json(plan)},
          {"arms", std::move(arms)}};
}

Lines plan_lines(const Runs& runs) {
  Lines lines;
  const RunPlan &first = *runs.first.frozen(), &second = *runs.second.frozen();
  if (first.hash() == second.hash()) return lines;
  const auto of_first = causes(first), of_second = causes(second);
  for (size_t i = 0; i < of_first.size(); ++i)
    add_differences(lines, runs, of_first[i].first, &of_first[i].second, &of_second[i].second);
  if (lines.empty()) lines.add("plan: the two differ in their cells, made of the same settings");
  return lines;
}

// By address, whatever the file is called: a shared picture has the name of the first arm that draws it. Where one address has
// several files, as a picture in two sets has, each is a cell.
using CellsByAddress = std::unordered_map<std::string_view, std::vector<const PlannedCell*>>;

CellsByAddress cells_by_address(const RunPlan& plan) {
  CellsByAddress cells;
  cells.reserve(plan.cells.size());
  for (const auto& cell : plan.cells) {
    auto& same = cells[cell.address];
    if (std::none_of(same.begin(), same.end(), [&](const PlannedCell* other) { return other->file == cell.file; }))
      same.push_back(&cell);
  }
  return cells;
}

// Two of one address; nullptr: not planned.
struct Pair {
  const PlannedCell *first, *second;
  const PlannedCell& any() const { return first ? *first : *second; }
};

std::vector<Pair> pairs_of(const RunPlan& first, const RunPlan& second) {
  std::vector<Pair> pairs;
  const CellsByAddress of_first = cells_by_address(first), of_second = cells_by_address(second);
  const auto cell_at = [](const CellsByAddress& cells, std::string_view address, size_t i) -> const PlannedCell* {
    const auto found = cells.find(address);
    return found != cells.end() && i < found->second.size() ? found->second[i] : nullptr;
  };
  std::unordered_set<std::string_view> seen;
  for (const auto* plan : {&first, &second})
    for (const auto& cell : plan->cells) {
      if (!seen.insert(cell.address).second) continue;
      for (size_t i = 0;; ++i) {
        const Pair pair{cell_at(of_first, cell.address, i), cell_at(of_second, cell.address, i)};
        if (!pair.first && !pair.second) break;
        pairs.push_back(pair);
      }
    }
  std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.any().stage < b.any().stage; });
  return pairs;
}

// A look that has hashed the file, whatever its size.
CellLook full_look(const RunStore& store, const PlannedCell* cell, const CancelToken& cancel) {
  if (!cell) return {};
  CellLook look = store.look(*cell);
  if (look.state != CellState::whole || look.record->bytes <= RunStore::hashed_up_to_bytes) return look;
  try {
    look.record = store.checked_record(*cell, &cancel);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::input) throw;
    look = {CellState::damaged, error.what(), {}};
  }
  return look;
}

std::string state_text(const PlannedCell* cell, const CellLook& look) {
  if (!cell) return "not planned";
  return look.state == CellState::damaged ? "damaged: " + look.why : "missing";
}

std::string number_text(const CellRecord& record, const std::string& metric) {
  const auto found = record.metrics.find(metric);
  if (found == record.metrics.end()) return "absent";
  return found->second ? fmt::format("{}", *found->second) : "nothing";
}

// "blockiness is 0.5 in runs/a, 0.25 in runs/b".
std::string metric_difference(const Runs& runs, const CellRecord& first, const CellRecord& second) {
  std::set<std::string> names;
  for (const auto* record : {&first, &second})
    for (const auto& [name, value] : record->metrics) names.insert(name);
  std::vector<std::string> different;
  for (const auto& name : names) {
    const std::string of_first = number_text(first, name), of_second = number_text(second, name);
    if (of_first != of_second)
      different.push_back(fmt::format("{} is {} in {}, {} in {}", name, of_first, runs.first_name, of_second, runs.second_name));
  }
  const std::string more = different.size() > 1 ? fmt::format("; {} more metrics differ", different.size() - 1) : "";
  return different.front() + more;
}

std::string byte_difference(const Runs& runs, const CellRecord& first, const CellRecord& second) {
  std::string line = fmt::format("{} bytes, SHA-256 {}… in {}, {} bytes, {}… in {}", first.bytes, first.sha256.substr(0, 8),
                                 runs.first_name, second.bytes, second.sha256.substr(0, 8), runs.second_name);
  if (first.processor != second.processor) line += fmt::format("; made on {} and {}", first.processor, second.processor);
  if (first.program_version != second.program_version)
    line += fmt::format("; by version {} and {}", first.program_version, second.program_version);
  return line;
}

void compare(RunDifference& difference, Lines& lines, const Runs& runs, const Pair& pair, const CancelToken& cancel) {
  const CellLook first = full_look(runs.first, pair.first, cancel), second = full_look(runs.second, pair.second, cancel);
  const std::string& file = pair.any().file;
  if (first.record && second.record) {
    const bool is_same = first.record->sha256 == second.record->sha256 && first.record->metrics == second.record->metrics;
    ++(is_same ? difference.same : difference.different);
    if (is_same) return;
    const bool is_row = pair.any().stage == CellStage::metrics;
    return lines.add(
        fmt::format("{}: {}", file, (is_row ? metric_difference : byte_difference)(runs, *first.record, *second.record)));
  }
  ++(first.record ? difference.only_first : second.record ? difference.only_second : difference.missing);
  if (first.record || second.record)
    lines.add(fmt::format("{}: in {} alone; in {} {}", file, first.record ? runs.first_name : runs.second_name,
                          first.record ? runs.second_name : runs.first_name,
                          first.record ? state_text(pair.second, second) : state_text(pair.first, first)));
  else
    lines.add(fmt::format("{}: in {} {}; in {} {}", file, runs.first_name, state_text(pair.first, first), runs.second_name,
                          state_text(pair.second, second)));
}

}  // namespace

RunDifference compare_runs(const RunStore& first, const RunStore& second, const CancelToken& cancel) {
  for (const auto* store : {&first, &second})
    check(store->frozen().has_value(), ErrorKind::input, "[{}] has no {}, expected a run that was begun",
          store->folder().string(), names::plan_file);
  const Runs runs{first, second};
  RunDifference difference;
  plan_lines(runs).move_to(difference.lines, "differences of the plans");
  Lines lines;
  for (const auto& pair : pairs_of(*first.frozen(), *second.frozen())) {
    cancel.throw_if_cancelled();
    compare(difference, lines, runs, pair, cancel);
  }
  lines.move_to(difference.lines, "cells");
  return difference;
}

}  // namespace negativa
