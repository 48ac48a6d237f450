#pragma once
// A training from its plan to its file, whatever it trains: run folder, memory check, metadata, report.
#include "image/events.h"
#include "lora/training_metadata.h"
#include "train/memory_plan.h"

namespace negativa {

struct TrainReport {
  std::filesystem::path file, run_folder;
  bool was_finished = false;  // by an earlier run of the same settings: nothing was done
  int64_t steps = 0, resumed_from = 0;
  double last_loss = 0;
  std::optional<int64_t> best_step;
  double seconds = 0, step_seconds = 0;  // step_seconds: median
  uint64_t peak_memory_bytes = 0;
  std::string sha256;  // of the file, or of a folder's weights
};

// Draws the validation prompt with what is trained by then; the UNet is the one in memory.
using DrawPreview = std::function<Image8(const std::shared_ptr<const UNet>&, const Trained&)>;

// What a program adds to a training.
struct TrainingExtras {
  std::string config_toml = {};   // print_config's text, which goes into the run folder
  DrawPreview draw_preview = {};  // needed where the options have a validation prompt
  int64_t preview_bytes = 0;      // MemoryRequest::preview_bytes
};

struct TrainingRun {
  const TrainOptions& options;
  const TrainingHost& host;
  Recipe recipe;
  MemoryRequest memory;
  const TrainingExtras& extras;
  std::function<TrainingResult(RunFolder&, const TrainHooks&)> train;
  std::function<void(const TrainingResult&)> write;  // the trained file
};

// Tells the caller of each step, validation and checkpoint. Throws ErrorKind::input, before anything is written, for a run that
// does not fit into memory and for a validation prompt that nobody draws; as RunFolder and run_course do.
TrainReport run_training(const TrainingRun& run, const Caller& caller);

// While data are read and encoded: notices and cancelling, as every training has them.
DataHooks data_hooks(const Caller& caller, const TrainingHost& host);

// `settings`: the options' fields as JSON text, with all that was resolved; what decides no byte of the file is left out here.
Recipe training_recipe(const std::string& verb, const Training& training, const TrainOptions& options,
                       const std::string& settings, const CancelToken& cancel);

// What all kinds of training say of themselves in the file's header.
TrainingFacts training_facts(const Training& training, const TrainOptions& options, const Recipe& recipe, int64_t epochs);

}  // namespace negativa
