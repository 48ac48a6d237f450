#include "stats/paired.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/error.h"
#include "stats/words.h"

namespace negativa {

namespace {

struct Entry {
  size_t prompt = 0, training = 0;
  uint64_t seed = 0;
  double value = 0;
  bool operator<(const Entry& other) const {
    return prompt != other.prompt       ? prompt < other.prompt
           : training != other.training ? training < other.training
                                        : seed < other.seed;
  }
};

using PromptNumbers = std::unordered_map<std::string_view, size_t>;

// An arm's pictures by (prompt, training, seed), and where each cell of prompt x training begins.
struct Arm {
  std::string_view name;
  std::vector<int64_t> trainings;
  std::vector<Entry> entries;
  std::vector<size_t> begins;

  size_t columns() const { return std::max<size_t>(1, trainings.size()); }
  std::span<const Entry> cell(size_t prompt, size_t training) const {
    const size_t cell = prompt * columns() + (trainings.empty() ? 0 : training);
    return std::span(entries).subspan(begins[cell], begins[cell + 1] - begins[cell]);
  }
};

std::string training_text(const Arm& arm, size_t training) {
  return arm.trainings.empty() ? "" : fmt::format(", training {}", arm.trainings[training]);
}

std::vector<int64_t> trainings_of(std::span<const Measurement> rows, std::string_view arm) {
  std::vector<int64_t> trainings;
  size_t without = 0;
  for (const auto& row : rows) {
    if (!row.training)
      ++without;
    else if (trainings.empty() || trainings.back() != *row.training)
      trainings.push_back(*row.training);
  }
  std::sort(trainings.begin(), trainings.end());
  trainings.erase(std::unique(trainings.begin(), trainings.end()), trainings.end());
  check(without == 0 || trainings.empty(), ErrorKind::input,
        "[statistics] {} of {} pictures of the {} name no training, expected all or none; try naming it for each", without,
        rows.size(), arm);
  return trainings;
}

void find_cells(Arm& arm, size_t prompts) {
  if (!std::is_sorted(arm.entries.begin(), arm.entries.end())) std::sort(arm.entries.begin(), arm.entries.end());
  arm.begins.assign(prompts * arm.columns() + 1, 0);
  for (const auto& entry : arm.entries) ++arm.begins[entry.prompt * arm.columns() + entry.training + 1];
  for (size_t i = 1; i < arm.begins.size(); ++i) arm.begins[i] += arm.begins[i - 1];
}

Arm arranged(std::span<const Measurement> rows, std::string_view name, const PromptNumbers& numbers) {
  Arm arm{name, trainings_of(rows, name), {}, {}};
  arm.entries.reserve(rows.size());
  auto number = numbers.end();  // of the row before, which mostly has the same prompt
  for (const auto& row : rows) {
    check(std::isfinite(row.value), ErrorKind::input,
          "[statistics] \"{}\", seed {}, of the {} has the value {}, expected a finite number", row.prompt, row.seed, name,
          row.value);
    if (number == numbers.end() || number->first != row.prompt) number = numbers.find(row.prompt);
    check(number != numbers.end(), ErrorKind::input,
          "[statistics] \"{}\" is a prompt of the {} only, expected the same prompts in both arms", row.prompt, name);
    const size_t training =
        row.training ? static_cast<size_t>(std::lower_bound(arm.trainings.begin(), arm.trainings.end(), *row.training) -
                                           arm.trainings.begin())
                     : 0;
    arm.entries.push_back({number->second, training, row.seed, row.value});
  }
  find_cells(arm, numbers.size());
  for (size_t i = 1; i < arm.entries.size(); ++i) {
    const Entry &before = arm.entries[i - 1], &entry = arm.entries[i];
    if (entry < before || before < entry) continue;
    const auto prompt =
        std::find_if(numbers.begin(), numbers.end(), [&](const auto& item) { return item.second == entry.prompt; })->first;
    fail(ErrorKind::input, "[statistics] \"{}\"{}, seed {}, stands twice in the {}, expected each picture once", prompt,
         training_text(arm, entry.training), entry.seed, name);
  }
  return arm;
}

// The pictures of one prompt and training in one arm, ascending by seed.
struct Cell {
  const Arm& arm;
  size_t training = 0;
  std::span<const Entry> pictures;

  Cell(const Arm& arm, size_t prompt, size_t training) : arm(arm), training(training), pictures(arm.cell(prompt, training)) {}
};

void check_same_seeds(const std::string& prompt, const Cell& one, const Cell& other) {
  const auto mine_end = one.pictures.end(), theirs_end = other.pictures.end();
  const auto [mine, theirs] = std::mismatch(one.pictures.begin(), mine_end, other.pictures.begin(), theirs_end,
                                            [](const Entry& a, const Entry& b) { return a.seed == b.seed; });
  if (mine == mine_end && theirs == theirs_end) return;
  const bool mine_lacks = mine == mine_end || (theirs != theirs_end && theirs->seed < mine->seed);
  const Cell& lacking = mine_lacks ? one : other;
  fail(ErrorKind::input,
       "[statistics] \"{}\"{}: the {} lacks seed {}, expected the same pictures in both arms and all trainings; try finishing "
       "the run",
       prompt, training_text(lacking.arm, lacking.training), lacking.arm.name, mine_lacks ? theirs->seed : mine->seed);
}

std::vector<int64_t> common_trainings(const Arm& baseline, const Arm& arm) {
  if (baseline.trainings.empty() || arm.trainings.empty()) return baseline.trainings.empty() ? arm.trainings : baseline.trainings;
  check(baseline.trainings == arm.trainings, ErrorKind::input,
        "[statistics] got trainings {} of the baseline and {} of the arm, expected the same numbers",
        fmt::join(baseline.trainings, ", "), fmt::join(arm.trainings, ", "));
  return arm.trainings;
}

}  // namespace

std::vector<double> DifferenceTable::per_prompt() const {
  std::vector<double> means(prompts.size());
  for (size_t p = 0; p < prompts.size(); ++p) {
    for (size_t t = 0; t < columns(); ++t) means[p] += at(p, t);
    means[p] /= static_cast<double>(columns());
  }
  return means;
}

DifferenceTable paired_differences(std::span<const Measurement> baseline_rows, std::span<const Measurement> arm_rows) {
  check(!baseline_rows.empty() && !arm_rows.empty(), ErrorKind::input,
        "[statistics] got {} of the baseline and {} of the arm, expected at least one each",
        count_text(baseline_rows.size(), "picture"), count_text(arm_rows.size(), "picture"));
  DifferenceTable table;
  PromptNumbers numbers;
  for (const auto& row : arm_rows) {
    if (!table.prompts.empty() && table.prompts.back() == row.prompt) continue;
    if (numbers.emplace(row.prompt, table.prompts.size()).second) table.prompts.push_back(row.prompt);
  }
  const Arm arm = arranged(arm_rows, "arm", numbers), baseline = arranged(baseline_rows, "baseline", numbers);
  table.trainings = common_trainings(baseline, arm);
  table.values.reserve(table.prompts.size() * table.columns());
  for (size_t p = 0; p < table.prompts.size(); ++p) {
    for (size_t t = 0; t < table.columns(); ++t) {
      const Cell cell(arm, p, t), base(baseline, p, t);
      check_same_seeds(table.prompts[p], cell, base);
      check_same_seeds(table.prompts[p], cell, Cell(arm, p, 0));
      check_same_seeds(table.prompts[p], base, Cell(baseline, p, 0));
      double sum = 0;
      for (size_t i = 0; i < cell.pictures.size(); ++i)
        sum += cell.pictures[i].value - base.pictures[i].value;  // equal pictures give exactly 0
      table.values.push_back(sum / static_cast<double>(cell.pictures.size()));
    }
  }
  return table;
}

}  // namespace negativa
