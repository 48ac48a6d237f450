#include "train/lora_run.h"

#include <algorithm>

#include "base/json.h"
#include "lora/lora_writer.h"
#include "model/recipe_inputs.h"

namespace negativa {

namespace {

Recipe recipe_of(const LoraTraining& training, const CancelToken& cancel) {
  TrainLoraOptions stored = training.options;
  Json settings = to_json(fields_of(stored));
  if (!stored.dora) settings.erase("dora");  // so that runs from before that option go on
  Recipe recipe = training_recipe("train lora", training, stored, settings.dump(), cancel);
  if (!training.network_weights) return recipe;
  recipe.inputs.push_back(lora_input(stored.network_weights, {training.host.places.cache, &cancel}));
  recipe.inputs.back().role = "network_weights";
  return recipe;
}

// Of all modules; absent: they differ.
template <class Number>
std::optional<Number> common(const std::vector<TrainedModule>& modules, Number TrainedModule::*number) {
  for (const auto& module : modules)
    if (module.*number != modules.front().*number) return {};
  return modules.front().*number;
}

TrainingFacts facts_of(const LoraTraining& training, const Recipe& recipe, int64_t epochs) {
  const auto& options = training.options;
  TrainingFacts facts = training_facts(training, options, recipe, epochs);
  if (!options.data.captions) facts.trigger_phrase = options.data.prompt;
  facts.is_negative = options.data.prompt == "wrong" && !options.data.captions;
  facts.rank = training.network_weights ? common(training.modules, &TrainedModule::rank) : options.rank;
  facts.alpha = training.network_weights ? common(training.modules, &TrainedModule::alpha) : options.alpha;
  facts.targets = options.targets.value_or("");
  facts.conv_rank = options.conv_rank;
  facts.conv_alpha = options.conv_alpha;
  facts.dora = std::any_of(training.modules.begin(), training.modules.end(),
                           [](const TrainedModule& module) { return module.has_magnitude; });
  if (options.text_encoders)
    facts.text_encoder_learning_rate = options.text_encoder_learning_rate.value_or(default_text_encoder_learning_rate);
  return facts;
}

}  // namespace

void check_lora_out(const TrainLoraOptions& options) { check_lora_name(options.run.out, dialect_from_name(options.format)); }

TrainReport run_lora_training(const LoraTraining& training, const TrainingExtras& extras, const Caller& caller) {
  const TrainLoraOptions& options = training.options;
  check_lora_out(options);
  const Recipe recipe = recipe_of(training, caller.cancel);
  MemoryRequest memory = memory_request(training);
  memory.preview_bytes = extras.preview_bytes;
  const auto write = [&](const TrainingResult& result) {
    const TrainingFacts facts = facts_of(training, recipe, result.epochs);
    write_lora(options.run.out, result.trained.lora,
               {dialect_from_name(options.format), training.targets.layout, training_metadata(facts)});
  };
  return run_training({options, training.host, recipe, memory, extras,
                       [&](RunFolder& run, const TrainHooks& hooks) { return train_lora(training, run, hooks); }, write},
                      caller);
}

}  // namespace negativa
