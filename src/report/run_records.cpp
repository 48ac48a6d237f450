#include "report/run_records.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <mutex>
#include <numeric>
#include <thread>
#include <unordered_map>

#include "base/error.h"
#include "stats/words.h"

namespace negativa {

namespace {

constexpr size_t most_damaged_lines = 20, most_threads = 8;

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

// What a cell's look leaves for a report.
struct Read {
  CellSeen seen;
  std::string processor, version;
  std::vector<std::optional<double>> values;
};

Read read_cell(const RunStore& store, const RunPlan& plan, const PlannedCell& cell) {
  CellLook look = store.look(cell);
  Read read{{look.state, std::move(look.why), 0}, {}, {}, {}};
  if (look.state != CellState::whole) return read;
  read.seen.seconds = total_of(look.record->timings_s);
  read.processor = std::move(look.record->processor);
  read.version = std::move(look.record->program_version);
  if (cell.stage == CellStage::metrics) read.values = values_of(plan, *look.record);
  return read;
}

// The first of the cells that share a file.
std::vector<size_t> first_cells(const RunPlan& plan) {
  std::unordered_map<std::string_view, size_t> of_file;
  std::vector<size_t> firsts;
  for (size_t i = 0; i < plan.cells.size(); ++i) firsts.push_back(of_file.try_emplace(plan.cells[i].file, i).first->second);
  return firsts;
}

// Several threads, since it is JSON and hashes for the most part. The first error ends it.
std::vector<Read> read_cells(const RunStore& store, const RunPlan& plan, const std::vector<size_t>& firsts,
                             const CancelToken& cancel) {
  std::vector<Read> reads(plan.cells.size());
  std::atomic<size_t> next = 0;
  std::exception_ptr error;
  std::mutex mutex;
  const auto work = [&] {
    try {
      for (size_t i = next++; i < reads.size(); i = next++) {
        cancel.throw_if_cancelled();
        if (firsts[i] == i) reads[i] = read_cell(store, plan, plan.cells[i]);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      next = reads.size();
    }
  };
  std::vector<std::thread> threads;
  for (size_t t = 1; t < std::clamp<size_t>(std::thread::hardware_concurrency(), 1, most_threads); ++t)
    threads.emplace_back(work);
  work();
  for (auto& thread : threads) thread.join();
  if (error) std::rethrow_exception(error);
  return reads;
}

void add_pictures(RunRecords& records, const RunPlan& plan, const std::vector<size_t>& firsts, const std::vector<Read>& reads) {
  std::unordered_map<size_t, size_t> place_of;  // of a picture's cell in records.pictures
  for (size_t i = 0; i < plan.cells.size(); ++i) {
    const PlannedCell& cell = plan.cells[i];
    if (cell.stage == CellStage::picture) {
      place_of[i] = records.pictures.size();
      const bool is_drawn = records.cells[i].state == CellState::whole;
      records.pictures.push_back({i, no_row, cell.arm, cell.prompt, cell.replicate, cell.training, is_drawn, false, {}});
    } else if (cell.stage == CellStage::metrics && !cell.inputs.empty()) {
      const auto place = place_of.find(cell.inputs.front());
      if (place == place_of.end()) continue;
      ArmPicture& picture = records.pictures[place->second];
      picture.row = i;
      picture.is_measured = records.cells[i].state == CellState::whole;
      picture.values = reads[firsts[i]].values;
    }
  }
}

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
  const std::vector<size_t> firsts = first_cells(plan);
  std::vector<Read> reads = read_cells(store, plan, firsts, cancel);
  RunRecords records;
  for (size_t i = 0; i < plan.cells.size(); ++i) {
    records.cells.push_back(reads[firsts[i]].seen);
    if (firsts[i] != i || reads[i].seen.state != CellState::whole) continue;
    ++records.machines[reads[i].processor];
    ++records.versions[reads[i].version];
  }
  add_pictures(records, plan, firsts, reads);
  add_faults(records, plan);
  return records;
}

}  // namespace negativa
