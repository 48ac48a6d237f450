#include "model/lora_targets.h"
#include "train/lora_trainer.h"

namespace negativa {

LoraTraining plan_lora_training(const TrainLoraOptions& options, const TrainingHost& host, const DataHooks& hooks) {
  check(!options.data.prompt.empty() || options.data.captions, ErrorKind::input,
        "[--prompt] a text is needed for the pictures; try --prompt \"wrong\", or --captions");
  LoraTraining training{
      open_training(options, host, hooks), options, {}, options.alpha.value_or(static_cast<double>(options.rank))};
  training.targets = lora_targets(training.files());
  return training;
}

}  // namespace negativa
