#include "report/run_records.h"

#include <array>
#include <cmath>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "stats/words.h"

namespace negativa {

namespace {

constexpr size_t most_damaged_lines = 20;

double total_of(const std::map<std::string, double>& timings) {
  const auto total = timings.find("total");
  if (total != timings.end()) return total->second;
  return std::accumulate(timings.begin(), timings.end(), 0.0, [](double sum, const auto& one) { return sum + one.second; });
}

std::vector<std::optional<double>> values_of(const RunPlan& plan, const CellRecord& record) {
  std::vector<std::optional<double>> values;
  for (const auto& name : plan.metric_names) {
    const auto found = record.metrics.find(name);
    const bool is_number = found != record.metrics.end() && found->second && std::isfinite(*found->second);
    values.push_back(is_number ? found->second : std::nullopt);
  }
  return values;
}

// Reads cells one after another; a file that several cells share once.
class Reader {
 public:
  Reader(const RunStore& store, const RunPlan& plan) : store_(store), plan_(plan) { records_.cells.resize(plan.cells.size()); }

  void read(size_t number) {
    const PlannedCell& cell = plan_.cells[number];
    const auto [first, is_new] = first_of_file_.try_emplace(cell.file, number);
    if (!is_new) {
      records_.cells[number] = records_.cells[first->second];
      if (cell.stage == CellStage::metrics) rows_[number] = first->second;
      return;
    }
    CellLook look = store_.look(cell);
    CellSeen& seen = records_.cells[number];
    seen.state = look.state;
    seen.why = std::move(look.why);
    if (look.state != CellState::whole) return;
    seen.seconds = total_of(look.record->timings_s);
    ++records_.machines[look.record->processor];
    ++records_.versions[look.record->program_version];
    if (cell.stage != CellStage::metrics) return;
    values_[number] = values_of(plan_, *look.record);
    rows_[number] = number;
  }

  RunRecords result() {
    add_pictures();
    add_measurements();
    return std::move(records_);
  }

 private:
  void add_pictures() {
    for (size_t i = 0; i < plan_.cells.size(); ++i) {
      const PlannedCell& cell = plan_.cells[i];
      if (cell.stage != CellStage::picture) continue;
      place_of_[i] = records_.pictures.size();
      const bool is_drawn = records_.cells[i].state == CellState::whole;
      records_.pictures.push_back({i, no_row, cell.arm, cell.prompt, cell.replicate, cell.training, is_drawn, false, {}});
    }
  }

  void add_measurements() {
    for (size_t i = 0; i < plan_.cells.size(); ++i) {
      const PlannedCell& cell = plan_.cells[i];
      if (cell.stage != CellStage::metrics || cell.inputs.empty()) continue;
      const auto place = place_of_.find(cell.inputs.front());
      if (place == place_of_.end()) continue;
      ArmPicture& picture = records_.pictures[place->second];
      picture.row = i;
      const auto values = rows_.contains(i) ? values_.find(rows_[i]) : values_.end();
      picture.is_measured = values != values_.end();
      if (picture.is_measured) picture.values = values->second;
    }
  }

  const RunStore& store_;
  const RunPlan& plan_;
  RunRecords records_;
  std::unordered_map<std::string_view, size_t> first_of_file_;
  std::unordered_map<size_t, size_t> rows_;  // of metrics: the cell whose values they are
  std::unordered_map<size_t, std::vector<std::optional<double>>> values_;
  std::unordered_map<size_t, size_t> place_of_;  // of a picture's cell in RunRecords::pictures
};

std::string stage_words(CellStage stage, size_t count) {
  std::string name = stage_name(stage);
  for (char& c : name)
    if (c == '-') c = ' ';
  if (stage == CellStage::metrics) return count_text(count, "row") + " of metrics";
  return count_text(count, name);
}

void add_faults(RunRecords& records, const RunPlan& plan) {
  struct Count {
    size_t missing = 0, all = 0;
  };
  std::array<Count, cell_stages> stages;
  std::vector<std::array<Count, 2>> arms(plan.arms.size());  // pictures, metrics
  size_t damaged = 0;
  for (size_t i = 0; i < plan.cells.size(); ++i) {
    const PlannedCell& cell = plan.cells[i];
    const CellSeen& seen = records.cells[i];
    const bool is_row = cell.stage == CellStage::metrics;
    Count& count = is_row || cell.stage == CellStage::picture ? arms[static_cast<size_t>(cell.arm)][is_row ? 1 : 0]
                                                              : stages[static_cast<size_t>(cell.stage)];
    ++count.all;
    count.missing += seen.state == CellState::missing;
    if (seen.state == CellState::damaged && ++damaged <= most_damaged_lines) records.faults.push_back("damaged: " + seen.why);
  }
  if (damaged > most_damaged_lines) records.faults.push_back(fmt::format("damaged: {} more files", damaged - most_damaged_lines));
  for (size_t i = 0; i < stages.size(); ++i)
    if (stages[i].missing > 0)
      records.faults.push_back(
          fmt::format("missing: {} of {}", stage_words(static_cast<CellStage>(i), stages[i].missing), stages[i].all));
  for (size_t i = 0; i < arms.size(); ++i)
    for (const bool is_row : {false, true})
      if (const Count& count = arms[i][is_row]; count.missing > 0)
        records.faults.push_back(fmt::format("missing: {} of {} in the arm {}",
                                             stage_words(is_row ? CellStage::metrics : CellStage::picture, count.missing),
                                             count.all, plan.arms[i].name));
}

}  // namespace

RunRecords read_run(const RunStore& store, const RunPlan& plan, const CancelToken& cancel) {
  Reader reader(store, plan);
  for (size_t i = 0; i < plan.cells.size(); ++i) {
    if (i % 64 == 0) cancel.throw_if_cancelled();
    reader.read(i);
  }
  RunRecords records = reader.result();
  add_faults(records, plan);
  return records;
}

}  // namespace negativa
