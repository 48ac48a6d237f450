#include "model/lora_targets.h"
#include "train/lora_trainer.h"
#include "train/network_weights.h"

namespace negativa {

namespace {

void go_on_from_file(LoraTraining& training, const DataHooks& hooks) {
  const TrainLoraOptions asked = training.options;
  const auto file = std::make_shared<const LoraFile>(read_lora(asked.network_weights, training.targets));
  training.modules = modules_of_file(*file, training.targets);
  training.options = agreed_with_file(asked, *file, training.targets, training.modules);
  training.network_weights = file;
  if (!hooks.on_notice) return;
  for (const auto& line : left_out_of_file(*file)) hooks.on_notice(line);
  if (training.options.text_encoders && !asked.text_encoders)
    hooks.on_notice(
        fmt::format("[--network-weights] {} adapts text encoders, which are trained too", file->path.filename().string()));
  if (asked.text_encoder_learning_rate && !training.options.text_encoders)
    hooks.on_notice(
        fmt::format("[--text-encoder-learning-rate] has no effect: {} adapts no text encoder", file->path.filename().string()));
}

}  // namespace

LoraTraining plan_lora_training(const TrainLoraOptions& options, const TrainingHost& host, const DataHooks& hooks) {
  check(!options.data.prompt.empty() || options.data.captions, ErrorKind::input,
        "[--prompt] a text is needed for the pictures; try --prompt \"wrong\", or --captions");
  LoraTraining training{open_training(options, host, hooks), options, {}, {}, {}};
  training.targets = lora_targets(training.files());
  if (!options.network_weights.empty()) {
    go_on_from_file(training, hooks);
    return training;
  }
  training.options = resolved(options);
  training.modules = modules_to_train(training.targets, training.options);
  return training;
}

}  // namespace negativa
