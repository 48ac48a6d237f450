#include "train/lora_trainer.h"

#include "lora/lora_writer.h"

namespace negativa {

namespace {

constexpr double text_encoder_weight_decay = 1e-3;  // train_dreambooth_lora_sdxl.py

// "text_encoder.text_model.encoder.layers.11.": nothing leads to it, since SDXL takes the hidden states before it.
std::string unreached_layer(const LoraParameters& parameters) {
  std::string last;  // modules are in the order of the layers
  for (const auto& module : parameters.modules())
    if (module.component == "text_encoder") last = module.component + "." + module.name;
  return last.substr(0, last.find("self_attn."));
}

}  // namespace

std::vector<ParameterGroup> parameter_groups(const TrainLoraOptions& options, const LoraParameters& parameters,
                                             double lr_factor) {
  const auto [unet, unet_end] = parameters.range_of("unet.");
  std::vector<ParameterGroup> groups = {{unet, unet_end, options.step.learning_rate * lr_factor, options.step.weight_decay}};
  if (!options.text_encoders) return groups;
  const double rate = options.text_encoder_learning_rate.value_or(default_text_encoder_learning_rate) * lr_factor;
  const int64_t first = parameters.range_of("text_encoder.").first,
                first_end = parameters.range_of(unreached_layer(parameters)).first;
  const auto [second, second_end] = parameters.range_of("text_encoder_2.");
  groups.push_back({first, first_end, rate, text_encoder_weight_decay});
  groups.push_back({second, second_end, rate, text_encoder_weight_decay});
  return groups;
}

TrainingResult train_lora(const LoraTraining& training, RunFolder& run, const TrainHooks& hooks) {
  const auto& options = training.options;
  LoraParameters parameters(modules_to_train(training.targets, options.targets, options.text_encoders), options.rank,
                            training.alpha, training.parameter_dtype());
  parameters.initialise(options.step.seed);
  const TrainingSubject subject{parameters,
                                [&](double lr_factor) { return parameter_groups(options, parameters, lr_factor); },
                                [&](const std::filesystem::path& path, const Trained& trained) {
                                  write_lora(path, trained.lora, {LoraDialect::diffusers, training.targets.layout, {}});
                                },
                                options.text_encoders,
                                {}};
  return run_course(training, options, subject, run, hooks);
}

}  // namespace negativa
