#include "jobs/train_embedding.h"

#include "base/files.h"
#include "base/json.h"
#include "jobs/job.h"
#include "jobs/train_pictures.h"
#include "jobs/without_effect.h"

namespace negativa {

namespace {

TrainingFacts facts_of(const EmbeddingTraining& training, const Recipe& recipe, int64_t epochs) {
  TrainingFacts facts = training_facts(training, training.options, recipe, epochs);
  facts.trigger_phrase = training.options.name;
  facts.is_negative = training.options.negative;
  return facts;
}

TrainReport train_now(Engine& engine, const TrainEmbeddingRequest& request, const Caller& caller) {
  const TrainEmbeddingOptions& options = request.options;
  check(options.run.out.empty() || options.run.out.extension() == ".safetensors", ErrorKind::input,
        "[--out] got {}, expected a name that ends in .safetensors", options.run.out.string());
  check_can_write(options.run.out);
  for (const auto& line : without_effect(options)) caller.events.on_notice(line);
  const TrainingHost host = training_host(engine);
  EmbeddingTraining training = plan_embedding_training(options, host, data_hooks(caller, host));
  note_training_texts(training, options, caller.events, {training.options.name, training.captions});
  const Recipe recipe =
      training_recipe("train embedding", training, training.options, to_json(fields_of(training.options)).dump(), caller.cancel);
  MemoryRequest memory = memory_request(training);
  memory.preview_bytes = preview_bytes(engine, options);
  return run_training({training.options, host, recipe, memory, request.config_toml,
                       [&](const std::shared_ptr<const UNet>& unet, const Trained& trained) {
                         return draw_preview(engine, options, unet, trained, caller.cancel);
                       },
                       [&](RunFolder& run, const TrainHooks& hooks) { return train_embedding(training, run, hooks); },
                       [&](const TrainingResult& result) {
                         write_embedding(options.run.out, result.trained.embeddings.front(),
                                         embedding_metadata(facts_of(training, recipe, result.epochs)));
                       }},
                      caller);
}

TrainingForecast forecast_now(Engine& engine, const TrainEmbeddingOptions& options, const Caller& caller) {
  for (const auto& line : without_effect(options)) caller.events.on_notice(line);
  const TrainingHost host = training_host(engine);
  DataHooks hooks;
  hooks.cancel = &caller.cancel;
  const EmbeddingTraining training = plan_embedding_training(options, host, hooks);
  note_training_texts(training, options, caller.events, {training.options.name, training.captions});
  MemoryRequest memory = memory_request(training);
  memory.preview_bytes = preview_bytes(engine, options);
  TrainingForecast forecast = forecast_training(memory, options);
  forecast.vectors = options.vectors;
  return forecast;
}

}  // namespace

TrainReport train_embedding(Engine& engine, const TrainEmbeddingRequest& request, EventSink& sink, const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return train_now(engine, request, caller); });
}

TrainingForecast forecast_train_embedding(Engine& engine, const TrainEmbeddingOptions& options, EventSink& sink,
                                          const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return forecast_now(engine, options, caller); });
}

}  // namespace negativa
