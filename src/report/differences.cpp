#include "report/differences.h"

#include <algorithm>
#include <set>

#include "base/error.h"

namespace negativa {

namespace {

using Key = std::pair<int, int>;  // prompt, replicate

// The trainings, most pictures first, of which so many together keep the most pictures.
struct Kept {
  std::vector<int> trainings;
  std::vector<Key> keys;
};

Kept largest_common(std::vector<std::pair<int, std::vector<Key>>> of_training) {
  std::stable_sort(of_training.begin(), of_training.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  Kept kept, best;
  for (const auto& [training, keys] : of_training) {
    std::vector<Key> both;
    if (kept.trainings.empty())
      both = keys;
    else
      std::set_intersection(kept.keys.begin(), kept.keys.end(), keys.begin(), keys.end(), std::back_inserter(both));
    kept.trainings.push_back(training);
    kept.keys = std::move(both);
    if (kept.keys.size() * kept.trainings.size() >= std::max<size_t>(1, best.keys.size() * best.trainings.size())) best = kept;
  }
  return best;
}

}  // namespace

struct Differences::Values {
  struct OfTraining {
    std::map<Key, double> values;
    std::set<Key> without_value;
    size_t planned = 0;
  };
  std::map<int, OfTraining> trainings;  // -1: none in the arm

  // An arm without trainings stands against each training of another.
  const OfTraining* find(int training) const {
    const auto found = trainings.find(trainings.contains(-1) ? -1 : training);
    return found == trainings.end() ? nullptr : &found->second;
  }
};

namespace {

template <class OfTraining>
std::vector<Key> common_keys(const OfTraining& arm, const OfTraining& baseline) {
  std::vector<Key> keys;
  for (const auto& [key, value] : arm.values)
    if (baseline.values.contains(key)) keys.push_back(key);
  return keys;
}

}  // namespace

Differences::Differences(const RunPlan& plan, const RunRecords& records)
    : plan_(plan), records_(records), pictures_of_arm_(plan.arms.size()) {
  for (size_t i = 0; i < records.pictures.size(); ++i)
    pictures_of_arm_.at(static_cast<size_t>(records.pictures[i].arm)).push_back(i);
}

std::optional<size_t> Differences::column(const std::string& metric) const {
  const auto found = std::find(plan_.metric_names.begin(), plan_.metric_names.end(), metric);
  if (found == plan_.metric_names.end()) return {};
  return static_cast<size_t>(found - plan_.metric_names.begin());
}

Differences::Values Differences::values_of(int arm, size_t metric, const PictureFilter& filter) const {
  Values values;
  for (const size_t place : pictures_of_arm_.at(static_cast<size_t>(arm))) {
    const ArmPicture& picture = records_.pictures[place];
    if (picture.row == no_row || (filter && !filter(picture))) continue;
    auto& training = values.trainings[picture.training];
    ++training.planned;
    if (!picture.is_measured) continue;
    const Key key{picture.prompt, picture.replicate};
    if (picture.values[metric])
      training.values[key] = *picture.values[metric];
    else
      training.without_value.insert(key);
  }
  return values;
}

MetricDifference Differences::compare(int arm, int baseline, const std::string& metric, const PictureFilter& filter) const {
  MetricDifference result;
  result.metric = metric;
  const auto number = column(metric);
  if (!number) {
    result.why_absent = fmt::format("{} was not measured", metric);
    return result;
  }
  const Values ours = values_of(arm, *number, filter), theirs = values_of(baseline, *number, filter);
  const Values& trained = ours.trainings.contains(-1) ? theirs : ours;  // the one whose trainings are walked
  std::vector<std::pair<int, std::vector<Key>>> of_training;
  size_t planned = 0;
  for (const auto& [training, values] : trained.trainings) {
    const auto *one = ours.find(training), *other = theirs.find(training);
    if (!one || !other) continue;
    planned += std::min(one->planned, other->planned);
    result.without_value += std::max(one->without_value.size(), other->without_value.size());
    if (auto keys = common_keys(*one, *other); !keys.empty()) of_training.emplace_back(training, std::move(keys));
  }
  const Kept kept = largest_common(std::move(of_training));
  std::vector<Measurement> arm_rows, baseline_rows;
  for (const int training : kept.trainings)
    for (const auto& [prompt, replicate] : kept.keys) {
      const PlannedPrompt& text = plan_.prompts[static_cast<size_t>(prompt)];
      const auto row = [&](const Values& values) {
        const bool is_trained = !values.trainings.contains(-1);
        return Measurement{text.text, is_trained ? std::optional<int64_t>(training) : std::nullopt,
                           text.noise_seeds[static_cast<size_t>(replicate)],
                           values.find(training)->values.at({prompt, replicate})};
      };
      arm_rows.push_back(row(ours));
      if (training == kept.trainings.front() || !theirs.trainings.contains(-1)) baseline_rows.push_back(row(theirs));
    }
  result.pairs = kept.trainings.size() * kept.keys.size();
  result.unmeasured = planned - std::min(planned, result.pairs + result.without_value);
  if (result.pairs == 0)
    result.why_absent =
        planned == 0 ? "the two have no picture of the same prompt and noise" : "no picture of both is measured yet";
  else
    result.comparison = compare_arms(baseline_rows, arm_rows, plan_.analysis.level);
  return result;
}

std::optional<Estimate> Differences::mean(int arm, const std::string& metric, const PictureFilter& filter) const {
  const auto number = column(metric);
  if (!number) return {};
  std::map<int, std::pair<double, size_t>> of_prompt;
  for (const auto& [training, values] : values_of(arm, *number, filter).trainings)
    for (const auto& [key, value] : values.values) {
      auto& [sum, count] = of_prompt[key.first];
      sum += value;
      ++count;
    }
  if (of_prompt.empty()) return {};
  std::vector<double> means;
  for (const auto& [prompt, sum] : of_prompt) means.push_back(sum.first / static_cast<double>(sum.second));
  return mean_over_prompts(means, Claim::these_sets, false, plan_.analysis.level);
}

}  // namespace negativa
