#include <algorithm>

#include "base/files.h"
#include "experiment/make_cells.h"
#include "experiment/plan_cells.h"
#include "experiment/training_host.h"
#include "train/embedding_run.h"
#include "train/lora_run.h"
#include "train/run_folder.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

const SetCell& set_of(const MakerRun& run, size_t cell) { return run.plan.sets.at(run.plan.run.cells[cell].inputs.front()); }

fs::path folder_of(const MakerRun& run, size_t cell) {
  const SetCell& set = set_of(run, cell);
  if (!set.folder.empty()) return set.folder;
  return run.store.path(run.plan.run.cells[run.plan.run.cells[cell].inputs.front()]).parent_path();
}

// Where the training is at work. A checkpoint whose training has gone on begins one of its own, under the same name, which the
// file's header has.
fs::path work_file(const MakerRun& run, size_t cell) {
  const TrainingCell& training = run.plan.trainings.at(cell);
  const fs::path file = run.store.folder() / (training.work + ".safetensors");
  for (const auto& [other, sibling] : run.plan.trainings)
    if (sibling.work == training.work && sibling.steps > training.steps &&
        run.store.state(run.plan.run.cells[other]) == CellState::whole)
      return file.parent_path() / std::to_string(training.steps) / file.filename();
  return file;
}

void set_up(const MakerRun& run, size_t cell, TrainOptions& options) {
  const TrainingCell& training = run.plan.trainings.at(cell);
  options.model = training_model(run.plan.file.defaults.model, options.model);
  options.data.data = folder_of(run, cell);
  options.step.steps = training.steps;
  options.step.seed = training.seed;
  options.run.out = work_file(run, cell);
  options.run.resume = "auto";
  make_folder(options.run.out.parent_path());
}

// One text for all pictures is the trigger phrase that the file's header names. Pictures in folders inside the set's are found by
// its list of captions alone.
void set_captions(const SetCell& set, TrainDataOptions& data) {
  const bool is_one = std::adjacent_find(set.captions.begin(), set.captions.end(), std::not_equal_to<>()) == set.captions.end();
  const auto in_folder = [](const std::string& name) { return name.find('/') != std::string::npos; };
  data.captions = !is_one || std::any_of(set.files.begin(), set.files.end(), in_folder);
  data.prompt = data.captions ? "" : set.captions.front();
}

void keep(const MakerRun& run, size_t cell, CellRecord record, const TrainReport& report, double seconds) {
  record.timings_s["total"] = seconds;
  record.timings_s["step"] = report.step_seconds;
  run.store.adopt(run.plan.run.cells[cell], report.file, std::move(record));
}

}  // namespace

void train_lora_cell(const MakerRun& run, size_t cell) {
  Lap lap;
  CellRecord record = begun_record(run, cell);
  TrainLoraOptions options = run.plan.file.loras[run.plan.trainings.at(cell).table].train;
  set_up(run, cell, options);
  set_captions(set_of(run, cell), options.data);
  const TrainingHost host = training_host(run.engine);
  const LoraTraining training = plan_lora_training(options, host, data_hooks(run.caller, host));
  record.threads = training.workers * training.threads;
  const TrainReport report = run_lora_training(training, {}, run.caller);
  keep(run, cell, std::move(record), report, lap.seconds());
}

void train_embedding_cell(const MakerRun& run, size_t cell) {
  Lap lap;
  CellRecord record = begun_record(run, cell);
  const EmbeddingTable& table = run.plan.file.embeddings[run.plan.trainings.at(cell).table];
  TrainEmbeddingOptions options = table.train;
  set_up(run, cell, options);
  options.name = word_of(table);
  const TrainingHost host = training_host(run.engine);
  const EmbeddingTraining training = plan_embedding_training(options, host, data_hooks(run.caller, host));
  record.threads = training.workers * training.threads;
  const TrainReport report = run_embedding_training(training, {}, run.caller);
  keep(run, cell, std::move(record), report, lap.seconds());
}

}  // namespace negativa
