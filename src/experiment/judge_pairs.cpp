#include "experiment/judge_pairs.h"

#include <map>

#include "base/error.h"
#include "runs/comparison.h"

namespace negativa {

namespace {

std::optional<double> value_of(const CellRecord& record, const std::string& metric) {
  const auto value = record.metrics.find(metric);
  return value == record.metrics.end() ? std::nullopt : value->second;
}

using Place = std::pair<int, int>;  // prompt, replicate

// An arm that nothing trained is in has one picture, which goes with that of each of the other's trainings.
bool is_pair(const PlannedCell& one, const PlannedCell& other) {
  const bool is_one_training = one.training == other.training || one.training < 0 || other.training < 0;
  return is_one_training && one.file != other.file;
}

JudgedPair pair_of(const RunPlan& plan, const JudgedPicture& first, const JudgedPicture& second) {
  const auto name_of = [&](const JudgedPicture& picture) { return plan.arms[static_cast<size_t>(picture.cell->arm)].name; };
  const PlannedPrompt& prompt = plan.prompts[static_cast<size_t>(first.cell->prompt)];
  return {
      {name_of(first), name_of(second), prompt.text, first.cell->file + " " + second.cell->file, judge_prefers(first, second)},
      prompt.noise_seeds[static_cast<size_t>(first.cell->replicate)],
      first.cell,
      second.cell};
}

}  // namespace

Preferred judge_prefers(const JudgedPicture& first, const JudgedPicture& second) {
  const auto wins = [](const JudgedPicture& one, const JudgedPicture& other) {
    const bool has_object = one.right_object && other.right_object;
    return one.damage < other.damage && (!has_object || *one.right_object >= *other.right_object - most_lost_object);
  };
  const bool first_wins = wins(first, second), second_wins = wins(second, first);
  if (first_wins == second_wins) return Preferred::tie;
  return first_wins ? Preferred::first : Preferred::second;
}

std::vector<JudgedPicture> judged_pictures(const RunStore& store, const RunPlan& plan, const std::string& arm) {
  const int number = arm_named(plan, arm);
  check(number >= 0, ErrorKind::input, "[{}] has no arm \"{}\"", plan.name, arm);
  std::vector<JudgedPicture> pictures;
  for (const auto& cell : plan.cells) {
    if (cell.stage != CellStage::metrics || cell.arm != number) continue;
    const auto record = store.record(cell);
    check(record.has_value(), ErrorKind::input, "[{}] is not measured; negativa experiment run finishes the run", cell.file);
    const auto damage = value_of(*record, "damage");
    check(damage.has_value(), ErrorKind::input,
          "[{}] has no damage score, which decides between two pictures; the judge needs a world.toml", cell.file);
    pictures.push_back({&plan.cells[cell.inputs.front()], *damage, value_of(*record, "right_object")});
  }
  check(!pictures.empty(), ErrorKind::input, "[{}] has no measured pictures of the arm {}", plan.name, arm);
  return pictures;
}

std::vector<JudgedPair> judged_pairs(const RunStore& store, const RunPlan& plan, const std::string& first,
                                     const std::string& second) {
  std::multimap<Place, JudgedPicture> seconds;
  for (const auto& picture : judged_pictures(store, plan, second))
    seconds.insert({{picture.cell->prompt, picture.cell->replicate}, picture});
  std::vector<JudgedPair> pairs;
  for (const auto& picture : judged_pictures(store, plan, first)) {
    const auto [begin, end] = seconds.equal_range({picture.cell->prompt, picture.cell->replicate});
    for (auto other = begin; other != end; ++other)
      if (is_pair(*picture.cell, *other->second.cell)) pairs.push_back(pair_of(plan, picture, other->second));
  }
  return pairs;
}

std::vector<Judgement> judgements_of(const std::vector<JudgedPair>& pairs) {
  std::vector<Judgement> judgements;
  for (const auto& pair : pairs) judgements.push_back(pair.judgement);
  return judgements;
}

}  // namespace negativa
