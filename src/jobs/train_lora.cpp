#include "jobs/train_lora.h"

#include "base/json.h"
#include "jobs/job.h"
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

TrainReport train_now(Engine& engine, const TrainLoraRequest& request, const Caller& caller) {
  const TrainLoraOptions& options = request.options;
  const LoraDialect dialect = dialect_from_name(options.format);
  check_lora_name(options.run.out, dialect);
  for (const auto& line : without_effect(options)) caller.events.on_notice(line);
  draw_class_pictures(engine, options, caller);
  const TrainingHost host = training_host(engine);
  const LoraTraining training = plan_lora_training(options, host, data_hooks(caller, host));
  note_training_texts(training, options, caller.events);
  const Recipe recipe = recipe_of(training, caller.cancel);
  MemoryRequest memory = memory_request(training);
  memory.preview_bytes = preview_bytes(engine, options);
  return run_training({training.options, host, recipe, memory, request.config_toml,
                       [&](const std::shared_ptr<const UNet>& unet, const Trained& trained) {
                         return draw_preview(engine, options, unet, trained, caller.cancel);
                       },
                       [&](RunFolder& run, const TrainHooks& hooks) { return train_lora(training, run, hooks); },
                       [&](const TrainingResult& result) {
                         write_lora(
                             options.run.out, result.trained.lora,
                             {dialect, training.targets.layout, training_metadata(facts_of(training, recipe, result.epochs))});
                       }},
                      caller);
}

TrainingForecast forecast_now(Engine& engine, const TrainLoraOptions& options, const Caller& caller) {
  for (const auto& line : without_effect(options)) caller.events.on_notice(line);
  const TrainingHost host = training_host(engine);
  DataHooks hooks;
  hooks.cancel = &caller.cancel;
  const LoraTraining training = plan_lora_training(options, host, hooks);
  note_training_texts(training, options, caller.events);
  MemoryRequest memory = memory_request(training);
  memory.preview_bytes = preview_bytes(engine, options);
  TrainingForecast forecast = forecast_training(memory, options);
  forecast.adapted_layers =
      static_cast<int64_t>(modules_to_train(training.targets, options.targets, options.text_encoders).size());
  return forecast;
}

}  // namespace

TrainReport train_lora(Engine& engine, const TrainLoraRequest& request, EventSink& sink, const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return train_now(engine, request, caller); });
}

TrainingForecast forecast_train_lora(Engine& engine, const TrainLoraOptions& options, EventSink& sink,
                                     const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return forecast_now(engine, options, caller); });
}

}  // namespace negativa
