#include "experiment/plan_judge.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "base/names.h"
#include "experiment/calibrate.h"
#include "io/models_folder.h"
#include "model/recipe_inputs.h"
#include "runs/address.h"

namespace negativa {

namespace {

// "experiments/x.toml line 12, analysis.metric"
std::string place_of(const ExperimentFile& file, const std::string& key) {
  const auto line = file.lines.find(key);
  return line == file.lines.end() ? fmt::format("{}, {}", file.path.string(), key)
                                  : fmt::format("{} line {}, {}", file.path.string(), line->second, key);
}

// Of each model whose pictures are measured.
std::vector<RecipeInput> drawing_models(Engine& engine, const ExperimentFile& file, const CancelToken& cancel) {
  std::set<std::string> names;
  for (const auto& arm : file.arms) names.insert(arm.draw.model.model);
  for (const auto& sweep : file.sweeps)
    for (const auto& arm : sweep.arms) names.insert(arm.draw.model.model);
  std::vector<RecipeInput> models;
  for (const auto& name : names) {
    const ModelFiles files = open_model(model_or_default(name, engine.places()), engine.places());
    models.push_back(model_input("model", files, engine.hashing(&cancel)));
  }
  return models;
}

// The name of one that is not the bundled model, by its bytes.
std::optional<std::string> other_model(const Engine& engine, const std::vector<RecipeInput>& models, const CancelToken& cancel) {
  const std::string bundled = bundled_model_input(engine.places(), engine.hashing(&cancel)).sha256;
  for (const auto& model : models)
    if (model.sha256 != bundled) return model.name;
  return {};
}

std::filesystem::path judge_folder(const Engine& engine, const ExperimentFile& file, const std::vector<RecipeInput>& models,
                                   const CancelToken& cancel) {
  if (!file.options.judge.empty()) return file.options.judge;
  const auto other = other_model(engine, models, cancel);
  check(!other, ErrorKind::input,
        "[{}] {} draws, but the bundled judge knows the bundled model's world alone; give {} = FOLDER, a CLIP model's folder",
        file.path.string(), other.value_or(""), file.bundled_judge);
  return default_model(engine.places()) / file.bundled_judge;
}

void check_can_calibrate(const ExperimentFile& file, const Judging& judging, const std::optional<std::string>& other) {
  check(!other, ErrorKind::input, "[{}] the bundled model's pictures calibrate, and {} draws here; leave it out",
        place_of(file, "calibrate"), other.value_or(""));
  check(judging.world() != nullptr, ErrorKind::input,
        "[{}] the judge {} has no {}, which names the damages and captions to calibrate with; leave it out",
        place_of(file, "calibrate"), judging.judge().folder().string(), names::judge_world);
}

bool does_measure(const Judging& judging, const std::string& metric) {
  const auto known = all_metrics(judging.world());
  return std::any_of(known.begin(), known.end(), [&](const Metric& one) { return one.name == metric; });
}

// Those asked for, and those that the verdict speaks of.
std::vector<std::string> metric_names(const Judging& judging, const ExperimentFile& file, EventSink& events) {
  const AnalysisPlan& analysis = file.analysis;
  const auto check_name = [&](const std::string& name, const std::string& key) { judging.metrics({name}, place_of(file, key)); };
  std::vector<std::string> asked = analysis.metrics;
  for (const auto& name : analysis.metrics) check_name(name, "analysis.metrics");
  const bool has_verdict = !analysis.primary.empty();
  if (has_verdict || file.lines.contains("analysis.metric")) check_name(analysis.metric, "analysis.metric");
  if (file.lines.contains("analysis.guard") && !analysis.guard.empty()) check_name(analysis.guard, "analysis.guard");
  if (has_verdict && !analysis.guard.empty() && !does_measure(judging, analysis.guard))
    events.on_notice(fmt::format("the judge {} does not measure {}, which would guard the verdict; analysis.guard names another",
                                 judging.judge().name(), analysis.guard));
  asked.insert(asked.end(), {analysis.metric, analysis.guard});
  std::vector<std::string> names;
  for (const auto& metric : all_metrics(judging.world()))
    if (analysis.metrics.empty() || std::find(asked.begin(), asked.end(), metric.name) != asked.end())
      names.push_back(metric.name);
  return names;
}

void set_basis(Judging& judging, const std::optional<Calibration>& measured, const std::vector<RecipeInput>& models,
               const Hashing& hashing) {
  if (measured) return judging.set_basis(damage_score_basis(judging.world()->damages, measured));
  std::vector<std::string> sha256s;
  for (const auto& model : models) sha256s.push_back(model.sha256);
  const std::string why = judging.take_calibration(sha256s, hashing);
  DamageScoreBasis basis = judging.basis();
  if (basis.uncalibrated.empty() || why.empty()) return;
  basis.uncalibrated += " (" + why + ")";
  judging.set_basis(std::move(basis));
}

void say_what_is_left_out(const Judging& judging, EventSink& events) {
  if (!judging.world())
    events.on_notice(fmt::format("the judge {} has no {}: right object, damage, background and object count are left out",
                                 judging.judge().folder().string(), names::judge_world));
  else if (!judging.basis().uncalibrated.empty())
    events.on_notice("damage is uncalibrated, over all damages: " + judging.basis().uncalibrated);
}

void add_calibration(PlannedJudge& planned, std::vector<RecipeInput> inputs) {
  planned.calibration_recipe = calibration_recipe();
  planned.calibration_inputs = std::move(inputs);
  AddressParts parts{CellStage::calibration, planned.calibration_recipe, {}};
  for (const auto& input : planned.calibration_inputs) parts.inputs.push_back(input.sha256);
  PlannedCell cell;
  cell.stage = CellStage::calibration;
  cell.address = cell_address(parts);
  cell.file =
      fmt::format("{}/{}-{}.json", names::calibration_folder, slug(planned.input.name), cell.address.substr(0, short_address));
  planned.calibration = std::move(cell);
}

}  // namespace

PlannedJudge plan_judge(Engine& engine, const ExperimentFile& file, const std::optional<Calibration>& measured,
                        const Caller& caller) {
  const auto models = drawing_models(engine, file, caller.cancel);
  const Hashing hashing = engine.hashing(&caller.cancel);
  Judging judging(judge_folder(engine, file, models, caller.cancel), &caller.cancel);
  if (file.options.calibrate) check_can_calibrate(file, judging, other_model(engine, models, caller.cancel));
  set_basis(judging, measured, models, hashing);
  PlannedJudge planned;
  planned.folder = judging.judge().folder();
  planned.input = judge_input(judging.judge(), hashing);
  planned.basis = judging.basis();
  planned.metric_names = metric_names(judging, file, caller.events);
  if (file.options.calibrate) add_calibration(planned, calibration_inputs(engine, judging.judge(), caller.cancel));
  if (!file.options.calibrate || measured) say_what_is_left_out(judging, caller.events);
  return planned;
}

void calibrate_judge(Engine& engine, const PlannedJudge& judge, const ExperimentFile& file, RunStore& store,
                     const Caller& caller) {
  const auto begin = std::chrono::steady_clock::now();
  const Judging judging(judge.folder, &caller.cancel);
  CellRecord record;
  record.recipe_json = judge.calibration_recipe;
  record.inputs = judge.calibration_inputs;
  record.threads = file.defaults.model.threads > 0 ? file.defaults.model.threads : hardware_threads();
  const std::string text = calibrate(engine, {&judging}, record.threads, caller).front().to_text();
  record.timings_s["calibrate"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  store.write(*judge.calibration, text, std::move(record));
}

}  // namespace negativa
