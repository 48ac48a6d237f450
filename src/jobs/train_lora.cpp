#include "jobs/train_lora.h"

#include "base/json.h"
#include "base/log.h"
#include "jobs/train_pictures.h"
#include "jobs/without_effect.h"
#include "lora/lora_writer.h"

namespace negativa {

namespace {

Recipe recipe_of(const LoraTraining& training, const CancelToken& cancel) {
  TrainLoraOptions stored = training.options;
  stored.alpha = training.alpha;
  return training_recipe("train lora", training, stored, to_json(fields_of(stored)).dump(), cancel);
}

TrainingFacts facts_of(const LoraTraining& training, const Recipe& recipe, int64_t epochs) {
  const auto& options = training.options;
  TrainingFacts facts = training_facts(training, options, recipe, epochs);
  if (!options.data.captions) facts.trigger_phrase = options.data.prompt;
  facts.is_negative = options.data.prompt == "wrong" && !options.data.captions;
  facts.rank = options.rank;
  facts.alpha = training.alpha;
  facts.targets = options.targets;
  if (options.text_encoders)
    facts.text_encoder_learning_rate = options.text_encoder_learning_rate.value_or(default_text_encoder_learning_rate);
  return facts;
}

}  // namespace

TrainReport train_lora(const TrainLoraOptions& options, const std::string& config_toml, const CancelToken& cancel) {
  const LoraDialect dialect = dialect_from_name(options.format);
  check_lora_name(options.run.out, dialect);
  for (const auto& line : without_effect(options)) notice("{}", line);
  draw_class_pictures(options, cancel);
  const TrainHooks hooks = training_hooks(cancel);
  const LoraTraining training = plan_lora_training(options, model_path(options), hooks.data);
  note_training_texts(training, options);
  const Recipe recipe = recipe_of(training, cancel);
  const auto train = [&](RunFolder& run, const TrainHooks& with) { return train_lora(training, run, with); };
  const auto write = [&](const TrainingResult& result) {
    write_lora(options.run.out, result.trained.lora,
               {dialect, training.targets.layout, training_metadata(facts_of(training, recipe, result.epochs))});
  };
  return run_training({training.options, recipe, memory_request(training), config_toml, train, write}, hooks);
}

TrainingForecast forecast_train_lora(const TrainLoraOptions& options) {
  for (const auto& line : without_effect(options)) notice("{}", line);
  const LoraTraining training = plan_lora_training(options, model_path(options));
  note_training_texts(training, options);
  TrainingForecast forecast = forecast_training(memory_request(training), options);
  forecast.adapted_layers =
      static_cast<int64_t>(modules_to_train(training.targets, options.targets, options.text_encoders).size());
  return forecast;
}

}  // namespace negativa
