#include "jobs/train_embedding.h"

#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "jobs/without_effect.h"

namespace negativa {

namespace {

TrainingFacts facts_of(const EmbeddingTraining& training, const Recipe& recipe, int64_t epochs) {
  TrainingFacts facts = training_facts(training, training.options, recipe, epochs);
  facts.trigger_phrase = training.options.name;
  facts.is_negative = training.options.negative;
  return facts;
}

}  // namespace

TrainReport train_embedding(const TrainEmbeddingOptions& options, const std::string& config_toml, const CancelToken& cancel) {
  check(options.run.out.empty() || options.run.out.extension() == ".safetensors", ErrorKind::input,
        "[--out] got {}, expected a name that ends in .safetensors", options.run.out.string());
  check_can_write(options.run.out);
  for (const auto& line : without_effect(options)) notice("{}", line);
  const TrainHooks hooks = training_hooks(cancel);
  EmbeddingTraining training = plan_embedding_training(options, model_path(options), hooks.data);
  note_training_texts(training, options, {training.options.name, training.captions});
  const Recipe recipe =
      training_recipe("train embedding", training, training.options, to_json(fields_of(training.options)).dump(), cancel);
  const auto train = [&](RunFolder& run, const TrainHooks& with) { return train_embedding(training, run, with); };
  const auto write = [&](const TrainingResult& result) {
    write_embedding(options.run.out, result.trained.embeddings.front(),
                    embedding_metadata(facts_of(training, recipe, result.epochs)));
  };
  return run_training({training.options, recipe, memory_request(training), config_toml, train, write}, hooks);
}

TrainingForecast forecast_train_embedding(const TrainEmbeddingOptions& options) {
  for (const auto& line : without_effect(options)) notice("{}", line);
  const EmbeddingTraining training = plan_embedding_training(options, model_path(options));
  note_training_texts(training, options, {training.options.name, training.captions});
  TrainingForecast forecast = forecast_training(memory_request(training), options);
  forecast.vectors = options.vectors;
  return forecast;
}

}  // namespace negativa
