#include "experiment/plan.h"

#include <algorithm>
#include <random>

#include "base/derived_seed.h"
#include "base/file_names.h"
#include "base/json.h"
#include "base/names.h"
#include "engine/records.h"
#include "experiment/plan_cells.h"
#include "experiment/plan_judge.h"
#include "experiment/references.h"

namespace negativa {

namespace {

constexpr size_t most_cells = 1'000'000;

uint64_t drawn_seed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

// One a replicate. Of the file's seed, else those of an earlier start, else drawn.
std::vector<uint64_t> base_seeds(const PlanRequest& request, int64_t replicates) {
  std::vector<uint64_t> seeds;
  for (uint64_t i = 0; i < static_cast<uint64_t>(replicates); ++i) {
    if (request.file.options.seed)
      seeds.push_back(derived_seed(*request.file.options.seed, "replicate", i));
    else if (request.earlier && i < request.earlier->base_seeds.size())
      seeds.push_back(request.earlier->base_seeds[i]);
    else
      seeds.push_back(drawn_seed());
  }
  return seeds;
}

std::vector<const ArmTable*> all_arms(const ExperimentFile& file) {
  std::vector<const ArmTable*> arms;
  for (const auto& arm : file.arms) arms.push_back(&arm);
  for (const auto& sweep : file.sweeps)
    for (const auto& arm : sweep.arms) arms.push_back(&arm);
  return arms;
}

// The prompts of a list that the arms draw.
using PromptNumbers = std::map<std::string, std::vector<int>>;

PromptNumbers add_prompts(PlanInProgress& progress, const std::vector<const ArmTable*>& arms) {
  PromptNumbers numbers;
  RunPlan& run = progress.plan.run;
  for (const ArmTable* arm : arms) {
    auto& of_list = numbers[arm->list];
    if (!of_list.empty()) continue;
    for (PlannedPrompt prompt : prompts_of(progress.file, arm->list)) {
      for (const uint64_t seed : run.base_seeds) prompt.noise_seeds.push_back(derived_seed(seed, "prompt " + prompt.text, 0));
      of_list.push_back(static_cast<int>(run.prompts.size()));
      run.prompts.push_back(std::move(prompt));
    }
  }
  return numbers;
}

// The settings that every picture of the arm has: resolved, without prompt and seed. Files by their names, so that a plan is the
// same wherever they lie.
std::string arm_settings(PlanInProgress& progress, const ArmTable& arm) {
  const PlannedModel& model = progress.open(arm.draw.model);
  PictureOptions picture = resolved_picture(*model.models, arm.draw.picture);
  picture.prompt.reset();
  picture.seed.reset();
  for (auto& text : picture.lora)
    if (const auto used = find_lora(progress.file, text, arm.name); !used.table)
      text = fmt::format("{}:{}:{}", last_name(used.spec.path), used.spec.weight, branch_name(used.spec.branch));
  Json settings = picture_settings(picture);
  if (arm.negative_is_prompt) settings["negative_prompt"] = {{"same_as", "prompt"}};
  for (const auto& text : arm.draw.model.embedding)
    settings["embedding"].push_back(find_embedding(progress.file, text, arm.name).table ? text : last_name(text));
  return canonical_json(settings);
}

// Everything that can be wrong with an arm's options is said before the first cell is made.
void check_arm(PlanInProgress& progress, const ArmTable& arm) {
  PictureOptions picture = arm.draw.picture;
  picture.prompt = "";
  picture.seed = 0;
  try {
    plan_picture(*progress.open(arm.draw.model).models, picture);
  } catch (const Error& error) {
    fail(error.kind(), "[arms.{}] {}", arm.name, error.what());
  }
}

PlannedArm planned_arm(PlanInProgress& progress, const ArmTable& arm) {
  check_arm(progress, arm);
  PlannedArm planned;
  planned.name = arm.name;
  planned.overrides_json = arm.overrides_json;
  planned.settings_json = arm_settings(progress, arm);
  planned.trainings = has_trained(progress.file, arm.draw) ? static_cast<int>(arm.training_seeds) : 0;
  planned.replicates = static_cast<int>(arm.replicates);
  planned.list = arm.list;
  return planned;
}

void add_arms(PlanInProgress& progress) {
  auto& arms = progress.plan.run.arms;
  for (const auto& arm : progress.file.arms) arms.push_back(planned_arm(progress, arm));
  for (const auto& sweep : progress.file.sweeps)
    for (size_t i = 0; i < sweep.arms.size(); ++i) {
      PlannedArm planned = planned_arm(progress, sweep.arms[i]);
      planned.sweep = sweep.name;
      planned.of_arm = sweep.of_arm[i];
      planned.axes = sweep.axes[i];
      arms.push_back(std::move(planned));
    }
}

struct Place {  // of a picture in the experiment
  int arm, training, prompt, replicate;
};

size_t add_picture(PlanInProgress& progress, const ArmTable& arm, const Place& place) {
  const PlannedArm& planned = progress.plan.run.arms[static_cast<size_t>(place.arm)];
  const PlannedPrompt& prompt = progress.plan.run.prompts[static_cast<size_t>(place.prompt)];
  AskedCell asked{CellStage::picture, arm.draw.model, arm.draw.picture, place.training};
  asked.picture.prompt = prompt.text;
  if (arm.negative_is_prompt) asked.picture.negative_prompt = prompt.text;
  asked.picture.seed = prompt.noise_seeds[static_cast<size_t>(place.replicate)];
  PicturePrint print = picture_print(progress, asked);
  PlannedCell cell;
  cell.inputs = print.inputs;
  cell.arm = place.arm;
  cell.prompt = place.prompt;
  cell.replicate = place.replicate;
  cell.training = planned.trainings > 0 ? place.training : -1;
  cell.file = fmt::format("{}/{}{}-{}-r{}", names::pictures_folder, slug(planned.name),
                          planned.trainings > 0 ? fmt::format("-t{}", place.training) : "", slug(prompt.text), place.replicate);
  const size_t number = progress.add(cell, ".png", print.parts, std::move(print.outside));
  progress.plan.pictures[number] = std::move(print.cell);
  return number;
}

int most_trainings(const RunPlan& run) {
  int most = 1;
  for (const auto& arm : run.arms) most = std::max(most, arm.trainings);
  return most;
}

// The arms before the sweeps, and of them whole trainings, prompt by prompt: a run that is stopped has as many arms as possible
// of as many prompts as possible.
void add_pictures(PlanInProgress& progress, const std::vector<const ArmTable*>& arms, const PromptNumbers& prompts) {
  const RunPlan& run = progress.plan.run;
  const auto add_arm_prompt = [&](size_t arm, int training, size_t place_in_list) {
    const PlannedArm& planned = run.arms[arm];
    const auto& list = prompts.at(planned.list);
    if (training >= std::max(planned.trainings, 1) || place_in_list >= list.size()) return;
    for (int replicate = 0; replicate < planned.replicates; ++replicate)
      add_picture(progress, *arms[arm], {static_cast<int>(arm), training, list[place_in_list], replicate});
    check(run.cells.size() <= most_cells, ErrorKind::input, "[experiment] has more than {} cells", most_cells);
  };
  for (const bool sweeps : {false, true})
    for (int training = 0; training < most_trainings(run); ++training)
      for (size_t place = 0; place < run.prompts.size(); ++place)
        for (size_t arm = 0; arm < run.arms.size(); ++arm)
          if (run.arms[arm].sweep.empty() != sweeps) add_arm_prompt(arm, training, place);
}

// The picture of the same prompt and noise in the first arm of its list: what `difference` compares with.
std::map<std::pair<int, int>, size_t> baselines_of(const RunPlan& run) {
  std::map<std::pair<int, int>, size_t> baselines;
  for (size_t i = 0; i < run.cells.size(); ++i)
    if (run.cells[i].stage == CellStage::picture) baselines.try_emplace({run.cells[i].prompt, run.cells[i].replicate}, i);
  return baselines;
}

void add_metrics(PlanInProgress& progress, const RecipeInput& judge) {
  RunPlan& run = progress.plan.run;
  const auto baselines = baselines_of(run);
  const std::string recipe = canonical_json({{"metrics", run.metric_names}, {"damages", run.damages}});
  const size_t end = run.cells.size();
  for (size_t i = 0; i < end; ++i) {
    const PlannedCell picture = run.cells[i];
    if (picture.stage != CellStage::picture) continue;
    const size_t baseline = baselines.at({picture.prompt, picture.replicate});
    PlannedCell cell = picture;
    cell.inputs = {i};
    AddressParts parts{CellStage::metrics, recipe, {judge.sha256, picture.address}};
    if (run.cells[baseline].arm != picture.arm) {
      cell.inputs.push_back(baseline);
      parts.inputs.push_back(run.cells[baseline].address);
    }
    const std::string stem = std::filesystem::path(picture.file).stem().string();
    cell.file = fmt::format("{}/{}", names::metrics_folder, stem.substr(0, stem.size() - short_address - 1));
    progress.add(cell, ".json", parts, {judge});
  }
}

void add_inputs(RunPlan& run, const std::vector<RecipeInput>& inputs) {
  for (const auto& input : inputs)
    if (std::none_of(run.inputs.begin(), run.inputs.end(), [&](const RecipeInput& other) {
          return other.role == input.role && other.name == input.name && other.sha256 == input.sha256;
        }))
      run.inputs.push_back(input);
}

void measure_with_judge(PlanInProgress& progress, const PlannedJudge& judge) {
  RunPlan& run = progress.plan.run;
  progress.plan.judge = judge.folder;
  run.damages = judge.basis.damages;
  run.uncalibrated = judge.basis.uncalibrated;
  run.metric_names = judge.metric_names;
  if (judge.calibration) {
    run.cells.push_back(*judge.calibration);
    progress.plan.recipe_json.push_back(judge.calibration_recipe);
    progress.plan.outside.push_back(judge.calibration_inputs);
    add_inputs(run, judge.calibration_inputs);
  }
  add_metrics(progress, judge.input);
  add_inputs(run, {judge.input});
}

}  // namespace

ExperimentPlan plan_experiment(Engine& engine, const PlanRequest& request, const Caller& caller) {
  PlanInProgress progress{engine, request.file, caller};
  RunPlan& run = progress.plan.run;
  progress.plan.file = request.file;
  run.name = request.file.name;
  run.config_json = request.file.config_json;
  run.toml = request.file.text;
  run.analysis = request.file.analysis;
  const auto arms = all_arms(request.file);
  int64_t replicates = 1;
  for (const ArmTable* arm : arms) replicates = std::max(replicates, arm->replicates);
  run.base_seeds = base_seeds(request, replicates);
  add_inputs(run, request.file.prompts.files);
  add_arms(progress);
  add_pictures(progress, arms, add_prompts(progress, arms));
  for (const auto& outside : progress.plan.outside) add_inputs(run, outside);
  measure_with_judge(progress, request.judge);
  run.counts_test_run = std::any_of(run.arms.begin(), run.arms.end(), [](const PlannedArm& arm) { return arm.list == "test"; });
  return std::move(progress.plan);
}

}  // namespace negativa
