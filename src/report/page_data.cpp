#include "report/page_data.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "base/json.h"
#include "base/sha256.h"
#include "base/split_mix.h"
#include "report/html.h"

namespace negativa {

namespace {

// Of each prompt of a list; -1: nothing to compare.
double change_of(const RunPlan& plan, const RunRecords& records, const std::pair<int, int>& arms, int prompt) {
  const auto column = std::find(plan.metric_names.begin(), plan.metric_names.end(), plan.analysis.metric);
  if (column == plan.metric_names.end()) return -1;
  const auto metric = static_cast<size_t>(column - plan.metric_names.begin());
  std::array<std::pair<double, size_t>, 2> sums{};
  for (const auto& picture : records.pictures) {
    if (picture.prompt != prompt || !picture.is_measured || !picture.values[metric]) continue;
    if (picture.arm != arms.first && picture.arm != arms.second) continue;
    auto& [sum, count] = sums[picture.arm == arms.first ? 0 : 1];
    sum += *picture.values[metric];
    ++count;
  }
  if (sums[0].second == 0 || sums[1].second == 0) return -1;
  return std::abs(sums[0].first / static_cast<double>(sums[0].second) - sums[1].first / static_cast<double>(sums[1].second));
}

std::vector<int> prompts_of(const RunPlan& plan, const std::string& list) {
  std::vector<int> prompts;
  for (size_t i = 0; i < plan.prompts.size(); ++i)
    if (plan.prompts[i].list == list) prompts.push_back(static_cast<int>(i));
  return prompts;
}

std::string value_text(const std::optional<double>& value) { return value ? fmt::format("{:.4g}", *value) : "null"; }

Json arms_json(const RunPlan& plan) {
  Json arms = Json::array();
  for (const auto& arm : plan.arms)
    arms.push_back({{"name", arm.name},
                    {"sweep", arm.sweep},
                    {"list", arm.list},
                    {"trainings", arm.trainings},
                    {"settings", parse_json(arm.settings_json, "settings of the arm " + arm.name)}});
  return arms;
}

Json prompts_json(const RunPlan& plan, const Sample* sample) {
  Json prompts = Json::array();
  for (size_t i = 0; i < plan.prompts.size(); ++i) {
    const PlannedPrompt& prompt = plan.prompts[i];
    Json seeds = Json::array();  // as text: a script's numbers have 53 bits
    for (const uint64_t seed : prompt.noise_seeds) seeds.push_back(std::to_string(seed));
    Json one = {{"text", prompt.text}, {"group", prompt.group}, {"list", prompt.list}, {"seeds", std::move(seeds)}};
    const auto why = sample ? sample->prompts.find(static_cast<int>(i)) : std::map<int, std::string>::const_iterator();
    if (sample && why != sample->prompts.end()) one["mark"] = why->second;
    prompts.push_back(std::move(one));
  }
  return prompts;
}

Json metrics_json(const RunPlan& plan) {
  Json metrics = Json::array();
  for (const auto& name : plan.metric_names) {
    const MetricFacts facts = metric_facts(name);
    metrics.push_back({{"name", name}, {"words", facts.unit.empty() ? facts.words : facts.words + ", " + facts.unit}});
  }
  return metrics;
}

// The lists that arms draw, the baseline's first.
Json lists_json(const RunPlan& plan, const Analysis& analysis) {
  Json lists = Json::array();
  std::set<std::string> seen;
  const auto add = [&](const std::string& list) {
    if (seen.insert(list).second) lists.push_back(list);
  };
  if (!plan.arms.empty()) add(plan.arms[static_cast<size_t>(analysis.baseline)].list);
  for (const auto& arm : plan.arms) add(arm.list);
  return lists;
}

int state_number(const RunRecords& records, const ArmPicture& picture) {
  return picture.is_drawn ? 1 : records.cells[picture.cell].state == CellState::damaged ? 2 : 0;
}

// A row of the script's table; its columns are named there.
std::string row_of(const RunRecords& records, const ArmPicture& picture, const PagePicture& shown) {
  std::string row =
      fmt::format("[{},{},{},{},{},{},{},{},{},", picture.arm, picture.prompt, picture.replicate, picture.training,
                  state_number(records, picture), Json(shown.source).dump(), Json(shown.file).dump(), shown.width, shown.height);
  if (!picture.is_measured) return row + "null]";
  row += "[";
  for (size_t i = 0; i < picture.values.size(); ++i) row.append(i == 0 ? "" : ",").append(value_text(picture.values[i]));
  return row + "]]";
}

bool is_in(const Sample& sample, const RunPlan& plan, const ArmPicture& picture) {
  return sample.prompts.contains(picture.prompt) && picture.replicate == 0 && picture.training <= 0 &&
         plan.arms[static_cast<size_t>(picture.arm)].sweep.empty();
}

}  // namespace

std::pair<int, int> changed_arms(const RunPlan& plan, const Analysis& analysis) {
  if (analysis.primary) return {analysis.primary->arm, analysis.primary->baseline};
  for (size_t i = 0; i < plan.arms.size(); ++i) {
    const int arm = static_cast<int>(i), baseline = baseline_of(plan, arm, analysis.baseline);
    if (baseline != arm && plan.arms[i].sweep.empty()) return {arm, baseline};
  }
  return {analysis.baseline, analysis.baseline};
}

Sample sample_of(const RunPlan& plan, const RunRecords& records, const Analysis& analysis, size_t most) {
  Sample sample;
  if (plan.arms.empty()) return sample;
  sample.seed = std::stoull(plan.hash().substr(0, 8), nullptr, 16);
  SplitMix random(sample.seed);
  const std::string& main_list = plan.arms[static_cast<size_t>(analysis.baseline)].list;
  std::vector<int> prompts = prompts_of(plan, main_list);
  const size_t count = std::min(most, prompts.size()), changed = count / 2;
  const auto arms = changed_arms(plan, analysis);
  std::map<int, double> changes;
  for (const int prompt : prompts) changes[prompt] = change_of(plan, records, arms, prompt);
  std::stable_sort(prompts.begin(), prompts.end(), [&](int a, int b) { return changes[a] > changes[b]; });
  for (size_t i = 0; i < changed; ++i)
    if (changes[prompts[i]] > 0) sample.prompts[prompts[i]] = "most changed";
  sample.most_changed = sample.prompts.size();
  std::sort(prompts.begin(), prompts.end());
  shuffle(prompts, random);
  for (const int prompt : prompts)
    if (sample.prompts.size() < count && !sample.prompts.contains(prompt)) sample.prompts[prompt] = "at random";
  std::set<std::string> others;
  for (const auto& arm : plan.arms)
    if (arm.list != main_list && arm.sweep.empty()) others.insert(arm.list);
  for (const auto& list : others) {
    std::vector<int> more = prompts_of(plan, list);
    shuffle(more, random);
    for (size_t i = 0; i < std::min(more.size(), std::max<size_t>(1, most / 4)); ++i) sample.prompts[more[i]] = "at random";
  }
  sample.random = sample.prompts.size() - sample.most_changed;
  return sample;
}

PageData page_data(const RunStore& store, const RunPlan& plan, const RunRecords& records, const Analysis& analysis,
                   const Sample* sample) {
  PageData data;
  PagePictures pictures(store);
  std::string rows;
  int cell_px = 64, replicates = 1, trainings = 1;
  for (const auto& picture : records.pictures) {
    if (sample && !is_in(*sample, plan, picture)) continue;
    const PlannedCell& cell = plan.cells[picture.cell];
    const PagePicture shown = !picture.is_drawn ? PagePicture() : sample ? pictures.embedded(cell) : pictures.linked(cell);
    data.shown += !shown.source.empty();
    if (shown.width > 0) cell_px = std::max(shown.width, shown.height) <= small_picture_px ? shown.width : thumbnail_px / 4;
    replicates = std::max(replicates, picture.replicate + 1);
    trainings = std::max(trainings, picture.training + 1);
    rows.append(rows.empty() ? "" : ",\n").append(row_of(records, picture, shown));
  }
  const auto shown = std::find(plan.metric_names.begin(), plan.metric_names.end(), plan.analysis.metric);
  const auto changed = changed_arms(plan, analysis);
  const Json head = {{"arms", arms_json(plan)},
                     {"prompts", prompts_json(plan, sample)},
                     {"metrics", metrics_json(plan)},
                     {"lists", lists_json(plan, analysis)},
                     {"baseline", analysis.baseline},
                     {"changed", {changed.first, changed.second}},
                     {"shown", shown == plan.metric_names.end() ? 0 : shown - plan.metric_names.begin()},
                     {"small", small_picture_px},
                     {"thumbnail", thumbnail_px},
                     {"cell", cell_px},
                     {"replicates", replicates},
                     {"trainings", trainings}};
  std::string text = head.dump();
  text.pop_back();
  data.json = script_safe(text + ",\"pictures\":[\n" + rows + "]}");
  data.notices = pictures.notices();
  return data;
}

}  // namespace negativa
