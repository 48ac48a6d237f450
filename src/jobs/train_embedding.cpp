#include "jobs/train_embedding.h"

#include "experiment/training_host.h"
#include "jobs/job.h"
#include "jobs/train_pictures.h"
#include "jobs/without_effect.h"
#include "train/embedding_run.h"

namespace negativa {

namespace {

TrainReport train_now(Engine& engine, const TrainEmbeddingRequest& request, const Caller& caller) {
  const TrainEmbeddingOptions& options = request.options;
  check_embedding_out(options);
  for (const auto& line : without_effect(options)) caller.events.on_notice(line);
  const TrainingHost host = training_host(engine);
  const EmbeddingTraining training = plan_embedding_training(options, host, data_hooks(caller, host));
  note_training_texts(training, options, caller.events, {training.options.name, training.captions});
  return run_embedding_training(training, training_extras(engine, options, request.config_toml, caller.cancel), caller);
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
