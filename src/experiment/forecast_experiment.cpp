#include "experiment/forecast_experiment.h"

#include <algorithm>
#include <set>

#include "core/memory.h"
#include "core/own_thread.h"
#include "engine/session.h"
#include "experiment/training_host.h"
#include "model/lora_targets.h"
#include "pipeline/prediction.h"
#include "train/memory_plan.h"

namespace negativa {

namespace {

// What is about the same whatever is drawn.
constexpr int64_t record_bytes = 1500;
constexpr double png_share = 0.6;      // of three bytes a pixel
constexpr double measuring_s = 0.006;  // of a small picture and a small judge; a large judge's forward pass comes on top

struct PictureCost {
  double seconds = 0;
  int64_t bytes = 0, peak_bytes = 0;
};

class Costs {
 public:
  Costs(Engine& engine, const ExperimentPlan& plan, const Caller& caller) : engine_(engine), plan_(plan), caller_(caller) {
    rate_ = on_own_thread(1, matrix_product_rate);
  }

  // Pictures that differ in words and noise alone cost the same.
  const PictureCost& picture(size_t cell) {
    const PictureCell& asked = plan_.pictures.at(cell);
    PictureOptions same = asked.picture;
    same.prompt = "", same.seed = 0, same.lora.clear();
    if (same.negative_prompt) same.negative_prompt = "";
    ModelOptions model = asked.model;
    model.embedding.clear();
    const std::string key = print_config(fields_of(same)) + print_config(fields_of(model));
    const auto found = pictures_.find(key);
    return found != pictures_.end() ? found->second : pictures_[key] = picture_now(model, same);
  }

  double training_s(size_t cell) {
    const TrainingCell& training = plan_.trainings.at(cell);
    const bool is_lora = plan_.run.cells[cell].stage == CellStage::lora;
    const TrainOptions& options = is_lora ? static_cast<const TrainOptions&>(plan_.file.loras[training.table].train)
                                          : plan_.file.embeddings[training.table].train;
    const Training& opened = base(options);
    const int64_t side = opened.resolution_px / opened.vae_config().factor();
    const int64_t rows = options.step.batch_size * options.step.gradient_accumulation * training.steps;
    return training_seconds(
        {opened.unet(), side, rows, opened.workers, options.model.gradient_checkpointing, opened.models->is_small()},
        rate_ * opened.threads);
  }

  int64_t training_peak(size_t cell) {
    if (plan_.run.cells[cell].stage != CellStage::lora) return 0;
    const auto& table = plan_.file.loras[plan_.trainings.at(cell).table];
    LoraTraining training{base(table.train), resolved(table.train), {}, {}, {}};
    training.targets = lora_targets(training.files());
    training.modules = modules_to_train(training.targets, training.options);
    return plan_memory(training).peak();
  }

 private:
  PictureCost picture_now(const ModelOptions& options, const PictureOptions& picture) {
    const Session session(engine_, options, caller_, plan_.pictures.size());
    const Plan plan = plan_picture(session.models(), picture);
    const double rate = rate_ * session.workers() * session.threads_a_picture() * efficiency_of(session.models().is_small());
    const PictureMemory memory = picture_memory(session.models(), {plan}, session.workers());
    return {picture_flop(session.models(), plan) / rate,
            static_cast<int64_t>(png_share * 3 * static_cast<double>(plan.width_px * plan.height_px)) + 2 * record_bytes,
            resident_bytes() + memory.weights + memory.activations};
  }

  // A training without its pictures: they may not be drawn yet.
  const Training& base(TrainOptions options) {
    options.model = training_model(plan_.file.defaults.model, options.model);
    const std::string key = fmt::format("{} {} {}", options.step.batch_size * options.step.gradient_accumulation,
                                        options.data.resolution.value_or(0), options.model.weights_dtype);
    const auto found = trainings_.find(key);
    if (found != trainings_.end()) return found->second;
    return trainings_[key] = open_training_model(options, training_host(engine_));
  }

  Engine& engine_;
  const ExperimentPlan& plan_;
  const Caller& caller_;
  double rate_ = 1;
  std::map<std::string, PictureCost> pictures_;
  std::map<std::string, Training> trainings_;
};

bool is_picture(CellStage stage) { return stage == CellStage::picture || stage == CellStage::set_picture; }
bool is_training(CellStage stage) { return stage == CellStage::lora || stage == CellStage::embedding; }

struct CellCost {
  double seconds = 0;
  int64_t bytes = record_bytes, peak_bytes = 0;
};

CellCost cost_of(Costs& costs, const ExperimentPlan& plan, size_t cell) {
  const CellStage stage = plan.run.cells[cell].stage;
  if (is_picture(stage)) {
    const PictureCost& picture = costs.picture(cell);
    return {picture.seconds, picture.bytes, picture.peak_bytes};
  }
  if (is_training(stage)) return {costs.training_s(cell), record_bytes, costs.training_peak(cell)};
  return {stage == CellStage::metrics ? measuring_s : 0, record_bytes, 0};
}

StageForecast& stage_of(ExperimentForecast& forecast, CellStage stage) {
  for (auto& one : forecast.stages)
    if (one.stage == stage) return one;
  return forecast.stages.emplace_back(StageForecast{stage});
}

// Pictures come after all that must be there before them, in the plan's order; what ends after the limit is left out.
void leave_out(ExperimentForecast& forecast, const ExperimentPlan& plan, const std::vector<double>& seconds, double limit_s) {
  double time = 0;
  for (size_t i = 0; i < seconds.size(); ++i)
    if (plan.run.cells[i].stage != CellStage::picture && plan.run.cells[i].stage != CellStage::metrics) time += seconds[i];
  std::vector<size_t> left(plan.run.arms.size());
  for (size_t i = 0; i < seconds.size(); ++i) {
    if (plan.run.cells[i].stage != CellStage::picture || seconds[i] == 0) continue;
    time += seconds[i] + measuring_s;
    if (time > limit_s) ++left[static_cast<size_t>(plan.run.cells[i].arm)];
  }
  for (size_t arm = 0; arm < left.size(); ++arm)
    if (left[arm] > 0) forecast.left_out.emplace_back(plan.run.arms[arm].name, left[arm]);
}

}  // namespace

ExperimentForecast forecast_experiment(Engine& engine, const ExperimentPlan& plan, const std::filesystem::path& folder,
                                       std::optional<double> limit_s, const Caller& caller) {
  ExperimentForecast forecast;
  forecast.name = plan.run.name;
  forecast.available_bytes = available_bytes();
  for (const auto& arm : plan.run.arms) forecast.arms.push_back({arm.name});
  std::unique_ptr<const RunStore> store;
  if (std::filesystem::exists(folder / names::plan_file)) store.reset(new RunStore(RunStore::open(folder, caller.events)));
  Costs costs(engine, plan, caller);
  std::vector<double> seconds(plan.run.cells.size());
  std::set<std::string> files;
  for (size_t i = 0; i < plan.run.cells.size(); ++i) {
    const PlannedCell& cell = plan.run.cells[i];
    if (!files.insert(cell.file).second) continue;
    StageForecast& stage = stage_of(forecast, cell.stage);
    ++stage.cells;
    if (cell.arm >= 0 && cell.stage == CellStage::picture) ++forecast.arms[static_cast<size_t>(cell.arm)].pictures;
    if (store && store->state(cell) == CellState::whole) {
      ++stage.there;
      continue;
    }
    const CellCost cost = cost_of(costs, plan, i);
    seconds[i] = cost.seconds;
    stage.seconds += cost.seconds;
    stage.bytes += cost.bytes;
    forecast.peak_bytes = std::max(forecast.peak_bytes, cost.peak_bytes);
    if (cell.arm >= 0) forecast.arms[static_cast<size_t>(cell.arm)].seconds += cost.seconds;
  }
  for (const auto& stage : forecast.stages) forecast.seconds += stage.seconds, forecast.bytes += stage.bytes;
  if (limit_s) leave_out(forecast, plan, seconds, *limit_s);
  return forecast;
}

}  // namespace negativa
