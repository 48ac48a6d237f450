#include "train/lora_trainer.h"

#include "lora/lora_writer.h"

namespace negativa {

namespace {

constexpr double text_encoder_weight_decay = 1e-3;  // train_dreambooth_lora_sdxl.py

// Where the first encoder's last layer begins: nothing leads to it, since SDXL takes the hidden states before it. Modules are in
// the order of the layers.
int64_t end_of_reached(const LoraParameters& parameters) {
  for (const auto& module : parameters.modules())
    if (module.component == "text_encoder" && !module.target.is_read) return module.offset;
  return parameters.range_of("text_encoder.").second;
}

// As a file has them, or new.
void begin(const LoraTraining& training, LoraParameters& parameters) {
  if (training.network_weights) return parameters.load(*training.network_weights);
  parameters.initialise(training.options.step.seed);
  if (!training.options.dora) return;
  std::map<std::string, Weights> parts;
  parameters.initialise_magnitudes([&](const TrainedModule& module) {
    auto& weights = parts[module.component];
    if (weights.empty()) weights = training.files().weights(module.component);
    return weights.at(module.name() + ".weight").load(training.parameter_dtype());
  });
}

}  // namespace

std::vector<ParameterGroup> parameter_groups(const TrainLoraOptions& options, const LoraParameters& parameters,
                                             double lr_factor) {
  const auto [unet, unet_end] = parameters.range_of("unet.");
  std::vector<ParameterGroup> groups = {{unet, unet_end, options.step.learning_rate * lr_factor, options.step.weight_decay}};
  if (!options.text_encoders) return groups;
  const double rate = options.text_encoder_learning_rate.value_or(default_text_encoder_learning_rate) * lr_factor;
  const int64_t first = parameters.range_of("text_encoder.").first, first_end = end_of_reached(parameters);
  const auto [second, second_end] = parameters.range_of("text_encoder_2.");
  groups.push_back({first, first_end, rate, text_encoder_weight_decay});
  groups.push_back({second, second_end, rate, text_encoder_weight_decay});
  return groups;
}

TrainingResult train_lora(const LoraTraining& training, RunFolder& run, const TrainHooks& hooks) {
  const auto& options = training.options;
  LoraParameters parameters(training.modules, training.parameter_dtype());
  begin(training, parameters);
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
