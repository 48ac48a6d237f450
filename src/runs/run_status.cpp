#include "runs/run_status.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/error.h"
#include "base/files.h"
#include "base/names.h"

namespace negativa {

namespace {

// RFC 4180: quotes where they are needed.
std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string csv_line(const RunPlan& plan, const PlannedCell& cell, const CellRecord& record) {
  const PlannedPrompt& prompt = plan.prompts[static_cast<size_t>(cell.prompt)];
  std::string line = fmt::format("{},{},{},{},{},{},{}", csv_text(plan.arms[static_cast<size_t>(cell.arm)].name),
                                 cell.training < 0 ? "" : std::to_string(cell.training), csv_text(prompt.text),
                                 csv_text(prompt.group), cell.replicate, prompt.noise_seeds[static_cast<size_t>(cell.replicate)],
                                 csv_text(plan.cells[cell.inputs.front()].file));
  for (const auto& name : plan.metric_names) {
    const auto value = record.metrics.find(name);
    line += value == record.metrics.end() || !value->second ? "," : fmt::format(",{}", *value->second);
  }
  return line + "\n";
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

// What one look at each file of a run says. Cells that share a file are one in the stages' counts.
class Count {
 public:
  Count(const RunStore& store, RunStatus& status) : store_(store), status_(status) {
    for (size_t i = 0; i < cell_stages; ++i) status_.stages.push_back({static_cast<CellStage>(i)});
  }

  bool is_whole(const PlannedCell& cell) {
    const auto [known, is_new] = whole_.try_emplace(cell.file, false);
    if (is_new) known->second = look(cell);
    return known->second;
  }

  std::optional<double> seconds_left() {
    double seconds = 0;
    for (size_t i = 0; i < cell_stages; ++i) {
      const size_t left = status_.stages[i].missing + status_.stages[i].damaged;
      if (left > 0 && totals_[i].empty()) return {};
      if (left > 0) seconds += median(totals_[i]) * static_cast<double>(left);
    }
    return seconds;
  }

 private:
  bool look(const PlannedCell& cell) {
    CellLook seen = store_.look(cell);
    StageStatus& stage = status_.stages[static_cast<size_t>(cell.stage)];
    ++(seen.state == CellState::whole ? stage.whole : seen.state == CellState::damaged ? stage.damaged : stage.missing);
    if (seen.state == CellState::damaged) status_.damaged.push_back(std::move(seen.why));
    if (seen.state != CellState::whole) return false;
    if (const auto total = seen.record->timings_s.find("total"); total != seen.record->timings_s.end()) {
      totals_[static_cast<size_t>(cell.stage)].push_back(total->second);
      status_.seconds_spent += total->second;
    }
    return true;
  }

  const RunStore& store_;
  RunStatus& status_;
  std::unordered_map<std::string, bool> whole_;          // by file
  std::array<std::vector<double>, cell_stages> totals_;  // seconds of whole cells
};

}  // namespace

void write_metrics_csv(const RunStore& store, const RunPlan& plan) {
  std::string text = "arm,training,prompt,group,replicate,seed,picture";
  for (const auto& name : plan.metric_names) text += "," + csv_text(name);
  text += "\n";
  for (const auto& cell : plan.cells)
    if (cell.stage == CellStage::metrics)
      if (const auto record = store.record(cell)) text += csv_line(plan, cell, *record);
  write_atomically(store.folder() / names::metrics_csv, text);
}

bool RunStatus::finished() const {
  return std::all_of(stages.begin(), stages.end(), [](const StageStatus& stage) { return stage.damaged + stage.missing == 0; });
}

RunStatus run_status(const RunStore& store) {
  check(store.frozen().has_value(), ErrorKind::input, "[{}] has no {}, expected a run that was begun", store.folder().string(),
        names::plan_file);
  const RunPlan& plan = *store.frozen();
  RunStatus status;
  status.name = plan.name;
  for (const auto& arm : plan.arms) status.arms.push_back({arm.name});
  Count count(store, status);
  for (const auto& cell : plan.cells) {
    const bool whole = count.is_whole(cell);
    if (cell.arm < 0) continue;
    ArmStatus& arm = status.arms[static_cast<size_t>(cell.arm)];
    if (cell.stage == CellStage::picture) ++arm.planned;
    if (whole && cell.stage == CellStage::picture) ++arm.drawn;
    if (whole && cell.stage == CellStage::metrics) ++arm.measured;
  }
  status.seconds_left = count.seconds_left();
  std::erase_if(status.stages, [](const StageStatus& stage) { return stage.whole + stage.damaged + stage.missing == 0; });
  status.orphans = store.orphans(plan);
  return status;
}

}  // namespace negativa
