#include "nn/module.h"
#include "text/text_models.h"
#include "train/lora_trainer.h"

namespace negativa {

namespace {

LoraTargets targets_of(const ModelFiles& files, const UNetConfig& config) {
  LoraTargets targets;
  UNet unet(config);  // without weights
  targets.add("unet", nn::walk(unet));
  for (const char* part : {"text_encoder", "text_encoder_2"}) {
    if (!files.has(part)) continue;
    CLIPTextModel encoder(text_config(files, part));
    targets.add(part, nn::walk(encoder));
  }
  return targets;
}

}  // namespace

LoraTraining plan_lora_training(const TrainLoraOptions& options, const std::filesystem::path& model, const DataHooks& hooks) {
  check(!options.data.prompt.empty() || options.data.captions, ErrorKind::input,
        "[--prompt] a text is needed for the pictures; try --prompt \"wrong\", or --captions");
  LoraTraining training{
      open_training(options, model, hooks), options, {}, options.alpha.value_or(static_cast<double>(options.rank))};
  training.targets = targets_of(training.files, training.unet);
  return training;
}

}  // namespace negativa
