#include <algorithm>

#include "base/files.h"
#include "base/text.h"
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

// Where the training is at work. One that has gone beyond these steps stays as it is, and they are made again beside it: under
// the same name, since the file's header has it.
fs::path work_file(const MakerRun& run, const TrainingCell& training) {
  const fs::path file = run.store.folder() / (training.work + ".safetensors");
  if (RunFolder::steps_done(file) <= training.steps) return file;
  return file.parent_path() / fmt::format("{}-{}", file.stem().string(), training.steps) / file.filename();
}

void set_up(const MakerRun& run, size_t cell, TrainOptions& options) {
  const TrainingCell& training = run.plan.trainings.at(cell);
  options.model = training_model(run.plan.file.defaults.model, options.model);
  options.data.data = folder_of(run, cell);
  options.step.steps = training.steps;
  options.step.seed = training.seed;
  options.run.out = work_file(run, training);
  options.run.resume = "auto";
  make_folder(options.run.out.parent_path());
  // Written anew from the last checkpoint: it is made again because the cell's file, a copy of this one, is gone or damaged, and
  // a disk that damages one may damage the other.
  fs::remove(options.run.out);
}

// One text for all pictures is the trigger phrase that the file's header names.
void set_captions(const SetCell& set, TrainDataOptions& data) {
  const bool is_one = std::adjacent_find(set.captions.begin(), set.captions.end(), std::not_equal_to<>()) == set.captions.end();
  data.captions = !is_one;
  data.prompt = is_one ? set.captions.front() : "";
}

// The pictures that the plan knows, in the record of what is trained on them. Throws ErrorKind::input where a training would read
// others.
void add_pictures(const MakerRun& run, size_t cell, const Dataset& read, CellRecord& record) {
  const SetCell& set = set_of(run, cell);
  std::vector<RecipeInput> known;
  for (const size_t picture : set.pictures) known.push_back(input_of(run, picture));
  if (known.empty()) known = run.plan.outside[run.plan.run.cells[cell].inputs.front()];  // a person's
  std::map<std::string, std::string> hashes;
  for (const auto& picture : known) hashes[picture.name] = picture.sha256;
  const auto check_known = [&](bool is_known, const std::string& name) {
    check(is_known, ErrorKind::input, "[{}] {} in {} is not what the run was planned with; start it again",
          run.plan.run.cells[cell].file, name, folder_of(run, cell).string());
  };
  for (const auto& example : read.examples) {
    const auto known_hash = hashes.extract(nfc(example.name));
    check_known(!known_hash.empty() && known_hash.mapped() == example.sha256, example.name);
  }
  check_known(hashes.empty(), hashes.empty() ? "" : hashes.begin()->first);
  record.inputs.insert(record.inputs.end(), known.begin(), known.end());
}

void keep(const MakerRun& run, size_t cell, CellRecord record, const TrainReport& report, double seconds) {
  record.timings_s["total"] = seconds;
  record.timings_s["step"] = report.step_seconds;
  run.store.adopt(run.plan.run.cells[cell], report.file, std::move(record));
  fs::remove(report.file);
}

}  // namespace

void train_lora_cell(const MakerRun& run, size_t cell) {
  Lap lap;
  CellRecord record = begun_record(run, cell);
  const TrainingCell& planned = run.plan.trainings.at(cell);
  TrainLoraOptions options = run.plan.file.loras[planned.table].train;
  if (planned.goes_on_from != no_cell) options.network_weights = run.store.path(run.plan.run.cells[planned.goes_on_from]);
  set_up(run, cell, options);
  set_captions(set_of(run, cell), options.data);
  const TrainingHost host = training_host(run.engine);
  const LoraTraining training = plan_lora_training(options, host, data_hooks(run.caller, host));
  add_pictures(run, cell, training.pictures, record);
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
  add_pictures(run, cell, training.pictures, record);
  record.threads = training.workers * training.threads;
  const TrainReport report = run_embedding_training(training, {}, run.caller);
  keep(run, cell, std::move(record), report, lap.seconds());
}

}  // namespace negativa
