#include "train/embedding_run.h"

#include "base/files.h"
#include "base/json.h"

namespace negativa {

namespace {

Recipe recipe_of(const EmbeddingTraining& training, const CancelToken& cancel) {
  TrainEmbeddingOptions stored = training.options;
  return training_recipe("train embedding", training, stored, to_json(fields_of(stored)).dump(), cancel);
}

TrainingFacts facts_of(const EmbeddingTraining& training, const Recipe& recipe, int64_t epochs) {
  TrainingFacts facts = training_facts(training, training.options, recipe, epochs);
  facts.trigger_phrase = training.options.name;
  facts.is_negative = training.options.negative;
  return facts;
}

}  // namespace

void check_embedding_out(const TrainEmbeddingOptions& options) {
  const auto& out = options.run.out;
  check(out.empty() || out.extension() == ".safetensors", ErrorKind::input,
        "[--out] got {}, expected a name that ends in .safetensors", out.string());
  check_can_write(out);
}

TrainReport run_embedding_training(const EmbeddingTraining& training, const TrainingExtras& extras, const Caller& caller) {
  const TrainEmbeddingOptions& options = training.options;
  check_embedding_out(options);
  const Recipe recipe = recipe_of(training, caller.cancel);
  MemoryRequest memory = memory_request(training);
  memory.preview_bytes = extras.preview_bytes;
  const auto write = [&](const TrainingResult& result) {
    write_embedding(options.run.out, result.trained.embeddings.front(),
                    embedding_metadata(facts_of(training, recipe, result.epochs)));
  };
  return run_training({options, training.host, recipe, memory, extras,
                       [&](RunFolder& run, const TrainHooks& hooks) { return train_embedding(training, run, hooks); }, write},
                      caller);
}

}  // namespace negativa
