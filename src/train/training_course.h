#pragma once
// The course of a training, whatever it trains: encode, then step by step with validation, previews and checkpoints.
#include "train/row_source.h"
#include "train/run_folder.h"
#include "train/training.h"

namespace negativa {

struct StepReport {
  int64_t step = 0, steps = 0;
  double loss = 0, learning_rate = 0, gradient_norm = 0;
};

struct TrainHooks {
  DataHooks data;  // while pictures and texts are encoded; its cancel token and notices serve the steps too
  std::function<void(const StepReport&)> on_step;
  std::function<void(int64_t step, double loss)> on_validation;
  std::function<void(int64_t step)> on_checkpoint;  // it is saved
  // Draw a preview with what is trained by this step; the UNet is the one in memory.
  std::function<void(int64_t step, const std::shared_ptr<const UNet>&, const Trained&)> on_preview;
};

struct TrainingResult {
  Trained trained;
  TrainingState state;
  int64_t resumed_from = 0, epochs = 0;  // epochs: begun
  double last_loss = 0;
  std::map<std::string, double> timings_s;  // "latents", "texts", "load", "steps", "step" (median)
};

// What one kind of training brings along.
struct TrainingSubject {
  TrainedParameters& parameters;  // as at the start
  std::function<std::vector<ParameterGroup>(double lr_factor)> groups;
  std::function<void(const std::filesystem::path&, const Trained&)> write;  // of the best step
  bool text_in_steps = false;         // encoders run in every step, since what is trained acts on them
  std::vector<std::string> captions;  // RowOptions::captions
};

// From the run's latest checkpoint, or from the start. Every stop, by a cancel token or whatever is thrown, first saves a
// checkpoint of the last whole step, and says what is saved. A step is saved before it is looked at (validation, preview); a look
// that fails is a notice, one that was cut short is taken again when the run goes on.
TrainingResult run_course(const Training& training, const TrainOptions& options, const TrainingSubject& subject, RunFolder& run,
                          const TrainHooks& hooks);

}  // namespace negativa
