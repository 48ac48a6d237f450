#include "jobs/train_lora.h"

#include "experiment/training_host.h"
#include "jobs/job.h"
#include "jobs/train_pictures.h"
#include "jobs/without_effect.h"
#include "train/lora_run.h"

namespace negativa {

namespace {

TrainReport train_now(Engine& engine, const TrainLoraRequest& request, const Caller& caller) {
  const TrainLoraOptions& options = request.options;
  check_lora_out(options);
  for (const auto& line : without_effect(options)) caller.events.on_notice(line);
  draw_class_pictures(engine, options, caller);
  const TrainingHost host = training_host(engine);
  const LoraTraining training = plan_lora_training(options, host, data_hooks(caller, host));
  note_training_texts(training, options, caller.events);
  return run_lora_training(training, training_extras(engine, options, request.config_toml, caller.cancel), caller);
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
  forecast.adapted_layers = static_cast<int64_t>(training.modules.size());
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
