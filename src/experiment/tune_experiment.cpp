#include "experiment/tune_experiment.h"

#include <algorithm>

#include "base/files.h"
#include "base/json.h"
#include "base/toml.h"
#include "stats/estimate.h"
#include "stats/paired.h"

namespace negativa {

namespace {

constexpr const char* tune_list = "tune";

const ArmTable& arm_of(const ExperimentFile& file, const std::string& name) {
  const auto found = std::find_if(file.arms.begin(), file.arms.end(), [&](const ArmTable& arm) { return arm.name == name; });
  check(found != file.arms.end(), ErrorKind::input, "[tune] there is no arm \"{}\"", name);
  return *found;
}

// "NAME[@STEPS][:WEIGHT[:BRANCH]]" with the candidate's weight and steps.
std::string candidate_lora(const std::string& text, const TuneCandidate& candidate) {
  LoraSpec spec = parse_lora_spec(text);
  std::string name = spec.path.string();
  if (candidate.steps) name = fmt::format("{}@{}", name.substr(0, name.find('@')), *candidate.steps);
  spec.weight = candidate.weight.value_or(spec.weight);
  if (spec.branch != LoraBranch::both) return fmt::format("{}:{}:{}", name, spec.weight, branch_name(spec.branch));
  return spec.weight == 1 ? name : fmt::format("{}:{}", name, spec.weight);
}

ArmTable candidate_arm(const ArmTable& arm, const TuneCandidate& candidate, size_t number) {
  ArmTable made = arm;
  made.name = fmt::format("candidate-{}", number + 1);
  for (auto& text : made.draw.picture.lora) text = candidate_lora(text, candidate);
  if (candidate.cfg_scale) made.draw.picture.cfg_scale = *candidate.cfg_scale;
  if (candidate.negative_scale) made.draw.picture.negative_scale = *candidate.negative_scale;
  return made;
}

std::string baseline_name(double cfg_scale) { return fmt::format("baseline-cfg-{}", cfg_scale); }

void add_baseline(ExperimentFile& tuning, const ArmTable& baseline, double cfg_scale) {
  ArmTable made = baseline;
  made.name = baseline_name(cfg_scale);
  made.draw.picture.cfg_scale = cfg_scale;
  if (std::none_of(tuning.arms.begin(), tuning.arms.end(), [&](const ArmTable& arm) { return arm.name == made.name; }))
    tuning.arms.push_back(std::move(made));
}

void set_plan_of_tuning(ArmTable& arm) {
  arm.list = tune_list;
  arm.replicates = arm.training_seeds = 1;
}

std::vector<Measurement> measurements(const RunStore& store, const RunPlan& plan, const std::string& arm, const char* metric) {
  std::vector<Measurement> values;
  for (const auto& cell : plan.cells) {
    if (cell.stage != CellStage::metrics || plan.arms[static_cast<size_t>(cell.arm)].name != arm) continue;
    const auto record = store.record(cell);
    check(record.has_value(), ErrorKind::machine, "[tune] {} is not there any more", cell.file);
    const auto value = record->metrics.find(metric);
    if (value == record->metrics.end() || !value->second) continue;
    const PlannedPrompt& prompt = plan.prompts[static_cast<size_t>(cell.prompt)];
    values.push_back({prompt.text, {}, prompt.noise_seeds[static_cast<size_t>(cell.replicate)], *value->second});
  }
  check(!values.empty(), ErrorKind::input, "[tune] {} says nothing of these pictures; the judge needs a world.toml", metric);
  return values;
}

double mean(const std::vector<Measurement>& values) {
  double sum = 0;
  for (const auto& one : values) sum += one.value;
  return sum / static_cast<double>(values.size());
}

double mean_difference(const std::vector<Measurement>& baseline, const std::vector<Measurement>& arm) {
  return mean_over_prompts(paired_differences(baseline, arm).per_prompt(), Claim::these_sets, true).mean;
}

CandidateResult result_of(const RunStore& store, const RunPlan& plan, const ExperimentFile& tuning, size_t number) {
  const TuneTable& tune = *tuning.tune;
  CandidateResult result;
  result.candidate = tune.candidates[number];
  result.arm = fmt::format("candidate-{}", number + 1);
  const std::string baseline = baseline_name(arm_of(tuning, result.arm).draw.picture.cfg_scale);
  const auto damage = measurements(store, plan, result.arm, "damage");
  result.damage = mean(damage);
  result.damage_difference = mean_difference(measurements(store, plan, baseline, "damage"), damage);
  result.right_object_difference =
      mean_difference(measurements(store, plan, baseline, "right_object"), measurements(store, plan, result.arm, "right_object"));
  result.is_allowed = result.right_object_difference >= -tune.most_lost;
  return result;
}

struct Change {
  std::string key, value;
};

// What of the TOML says what the candidate says.
std::vector<Change> changes_of(const ExperimentFile& file, const TuneCandidate& candidate) {
  const std::string table = toml_path("arms", file.tune->arm);
  std::vector<Change> changes;
  if (candidate.weight || candidate.steps) {
    // As the file has them: relative paths stay relative.
    const Json own = parse_json(arm_of(file, file.tune->arm).overrides_json, table);
    const Json config = parse_json(file.config_json, table);
    Json list = Json::array();
    for (const Json& text : own.contains("lora") ? own["lora"] : config["default"]["lora"])
      list.push_back(candidate_lora(text.get<std::string>(), candidate));
    changes.push_back({table + ".lora", list.dump()});
  }
  if (candidate.cfg_scale) changes.push_back({table + ".cfg_scale", Json(*candidate.cfg_scale).dump()});
  if (candidate.negative_scale) changes.push_back({table + ".negative_scale", Json(*candidate.negative_scale).dump()});
  return changes;
}

}  // namespace

ExperimentFile tuning_experiment(const ExperimentFile& file) {
  check(file.tune.has_value(), ErrorKind::input, "[{}] has no [tune]; docs/experiments.md says what stands in it",
        file.path.string());
  const auto list = file.prompts.lists.find(tune_list);
  check(list != file.prompts.lists.end(), ErrorKind::input, "[{}] has no prompts.tune to tune on", file.path.string());
  const TuneTable& tune = *file.tune;
  const ArmTable arm = arm_of(file, tune.arm), baseline = arm_of(file, tune.baseline);
  ExperimentFile tuning = file;
  tuning.name += "-tune";
  tuning.arms.clear();
  tuning.sweeps.clear();
  tuning.prompts.draw = tune_list;
  tuning.prompts.first = tune.prompts;
  tuning.options.judge = file.options.judge_select;
  tuning.bundled_judge = names::judge_select_folder;
  tuning.options.calibrate = false;
  for (size_t i = 0; i < tune.candidates.size(); ++i) {
    const TuneCandidate& candidate = tune.candidates[i];
    check(!candidate.weight || !arm.draw.picture.lora.empty(), ErrorKind::input,
          "[tune] weight is a LoRA's, and the arm \"{}\" has none", arm.name);
    for (const Change& change : changes_of(file, candidate)) with_value(file.text, change.key, change.value);  // it has a place
    tuning.arms.push_back(candidate_arm(arm, candidate, i));
    add_baseline(tuning, baseline, tuning.arms.back().draw.picture.cfg_scale);
  }
  for (auto& one : tuning.arms) set_plan_of_tuning(one);
  return tuning;
}

TuneResult tune_experiment(Engine& engine, const ExperimentFile& file, const std::filesystem::path& folder,
                           const Caller& caller) {
  const ExperimentFile tuning = tuning_experiment(file);
  TuneResult result;
  result.run = run_experiment(engine, {tuning, folder, {}, true}, caller);
  check(result.run.is_whole, ErrorKind::machine, "[tune] another process has cells of {} at work; try again when it has ended",
        folder.string());
  const RunStore store = RunStore::open(folder, caller.events);
  for (size_t i = 0; i < tuning.tune->candidates.size(); ++i) {
    result.candidates.push_back(result_of(store, result.run.plan, tuning, i));
    const CandidateResult& one = result.candidates.back();
    if (one.is_allowed && (!result.chosen || one.damage < result.candidates[*result.chosen].damage)) result.chosen = i;
  }
  result.toml = file.text;
  if (!result.chosen) return result;
  for (const Change& change : changes_of(file, result.candidates[*result.chosen].candidate)) {
    result.toml = with_value(result.toml, change.key, change.value);
    result.changed_keys.push_back(change.key);
  }
  parse_experiment(result.toml, file.path);  // what is written can be read
  if (result.toml != file.text) write_atomically(file.path, result.toml);
  return result;
}

}  // namespace negativa
