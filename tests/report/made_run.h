#pragma once
// Run folders as an experiment leaves them, with values that a test chooses: what a report makes of them is the same as of drawn
// pictures.
#include <functional>

#include "../base/temporary_folder.h"
#include "base/error.h"
#include "base/sha256.h"
#include "report/run_records.h"
#include "runs/address.h"

namespace negativa {

struct MadeArm {
  std::string name;
  int trainings = 0;
  std::string sweep = {}, of_arm = {};
  std::vector<std::pair<std::string, std::string>> axes = {};
  std::string list = "test", settings_json = R"({"cfg_scale":5,"steps":25})";
};

// Of one picture; by metric. Absent: there is no such row.
using Values = std::map<std::string, std::optional<double>>;
using ValuesOf = std::function<Values(const RunPlan& plan, const PlannedCell& picture)>;

inline size_t add_cell(RunPlan& plan, PlannedCell cell, const std::string& extension) {
  AddressParts parts{cell.stage, R"({"of":")" + sha256_hex(cell.file) + R"("})", {}};
  for (const size_t input : cell.inputs) parts.inputs.push_back(plan.cells[input].address);
  cell.address = cell_address(parts);
  cell.file += "-" + cell.address.substr(0, short_address) + extension;
  plan.cells.push_back(std::move(cell));
  return plan.cells.size() - 1;
}

inline PlannedCell cell_of_stage(CellStage stage, const std::string& stem) {
  PlannedCell cell;
  cell.stage = stage;
  cell.file = stem;
  return cell;
}

inline void add_pictures(RunPlan& plan, int arm, int training, const std::vector<size_t>& loras) {
  const PlannedArm& own = plan.arms[static_cast<size_t>(arm)];
  for (size_t prompt = 0; prompt < plan.prompts.size(); ++prompt)
    for (int replicate = 0; replicate < own.replicates; ++replicate) {
      if (plan.prompts[prompt].list != own.list) continue;
      PlannedCell cell =
          cell_of_stage(CellStage::picture, fmt::format("pictures/{}-t{}-p{}-r{}", slug(own.name), training, prompt, replicate));
      if (training >= 0) cell.inputs = {loras[static_cast<size_t>(training)]};
      cell.arm = arm, cell.prompt = static_cast<int>(prompt), cell.replicate = replicate, cell.training = training;
      add_cell(plan, cell, ".png");
    }
}

inline void add_rows(RunPlan& plan) {
  const size_t end = plan.cells.size();
  for (size_t i = 0; i < end; ++i) {
    PlannedCell cell = plan.cells[i];
    if (cell.stage != CellStage::picture) continue;
    cell.stage = CellStage::metrics;
    cell.inputs = {i};
    cell.file = "metrics/" + std::to_string(i);
    add_cell(plan, cell, ".json");
  }
}

inline std::vector<PlannedPrompt> made_prompts(size_t count, size_t replicates, const std::string& list = "test") {
  std::vector<PlannedPrompt> prompts;
  for (size_t p = 0; p < count; ++p) {
    prompts.push_back({fmt::format("{} prompt {}", list, p), p % 2 == 0 ? "animals" : "food", list, {}});
    for (size_t r = 0; r < replicates; ++r) prompts.back().noise_seeds.push_back(1000 * p + r);
  }
  return prompts;
}

// The plan's prompts, arms' lists and analysis are the caller's; LoRAs, pictures and rows are added.
inline RunPlan made_plan(std::vector<PlannedPrompt> prompts, const std::vector<MadeArm>& arms) {
  RunPlan plan;
  plan.name = "made";
  plan.config_json = R"({"default":{"cfg_scale":5,"steps":25}})";
  plan.toml = "[default]\nsteps = 25\n";
  plan.base_seeds = {7};
  plan.inputs = {{"model", "emoji-xl", sha256_hex("model")}, {"judge", "judge", sha256_hex("judge")}};
  plan.damages = {"blurry", "ugly"};
  plan.metric_names = {"damage", "right_object", "damage_blurry", "damage_ugly"};
  plan.analysis.primary = "article - nothing";
  plan.prompts = std::move(prompts);
  int trainings = 0;
  for (const auto& arm : arms) {
    PlannedArm planned{arm.name, arm.sweep, arm.of_arm, arm.axes, "{}", arm.settings_json, arm.trainings, 1, arm.list};
    for (const auto& prompt : plan.prompts) planned.replicates = std::max(1, static_cast<int>(prompt.noise_seeds.size()));
    plan.arms.push_back(planned);
    trainings = std::max(trainings, arm.trainings);
  }
  std::vector<size_t> loras;
  for (int t = 0; t < trainings; ++t) {
    PlannedCell lora = cell_of_stage(CellStage::lora, fmt::format("lora/wrong-t{}", t));
    lora.name = "wrong";
    lora.training = t;
    loras.push_back(add_cell(plan, lora, ".safetensors"));
  }
  for (size_t arm = 0; arm < plan.arms.size(); ++arm)
    for (int training = plan.arms[arm].trainings > 0 ? 0 : -1; training < plan.arms[arm].trainings; ++training)
      add_pictures(plan, static_cast<int>(arm), training, loras);
  add_rows(plan);
  return plan;
}

// A run folder with that plan. `leave_out`: cells that are not made.
class MadeRun {
 public:
  using Bytes = std::function<std::string(const PlannedCell& cell)>;
  MadeRun(
      const RunPlan& plan, const ValuesOf& values, const std::function<bool(const PlannedCell&)>& leave_out = {},
      const Bytes& bytes = [](const PlannedCell& cell) { return "bytes of " + cell.file; })
      : store(folder.path(), events) {
    store.freeze(plan);
    for (const auto& cell : plan.cells)
      if (!leave_out || !leave_out(cell)) make(cell, values, bytes);
  }
  const RunPlan& plan() const { return *store.frozen(); }
  RunRecords records() const { return read_run(store, plan(), {}); }

  TemporaryFolder folder;
  EventSink events;
  RunStore store;

 private:
  void make(const PlannedCell& cell, const ValuesOf& values, const Bytes& bytes) {
    CellRecord record;
    record.timings_s = {{"total", 0.5}};
    record.threads = 1;
    record.processor = "a processor";
    if (cell.stage != CellStage::metrics) return store.write(cell, bytes(cell), record);
    const PlannedCell& picture = plan().cells[cell.inputs.front()];
    record.metrics = values(plan(), picture);
    record.inputs = {{"picture", fs::path(picture.file).filename(), sha256_hex(bytes(picture))}};
    if (!record.metrics.empty()) store.write(cell, "", record);
  }
};

}  // namespace negativa
