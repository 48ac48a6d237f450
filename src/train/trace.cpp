#include "train/trace.h"

#include "nn/gradient.h"

namespace negativa {

namespace {

Tensor token_ids(const TextStage& stage, const TrainedAdapters& adapters, Tensor Embedding::*vectors,
                 const std::string& caption) {
  const Tokenizer tokenizer = add_embeddings(stage.tokenizer, adapters.embeddings, vectors).tokenizer;
  return at::tensor(tokenizer.tokenize(caption).ids.front(), at::kLong).unsqueeze(0);
}

}  // namespace

void Trace::inputs(int64_t step, const TrainingModel& model, const std::vector<TrainingRow>& rows,
                   const TrainedAdapters& adapters) {
  std::map<std::string, std::vector<Tensor>> columns;
  for (const auto& row : rows) {
    const c10::NoGradGuard no_graph;
    const UNetCondition condition = row_condition(model, row, adapters);
    columns["latents"].push_back(row.latents);
    columns["noise"].push_back(row.noise);
    columns["timesteps"].push_back(at::full({1}, row.timestep, at::kLong));
    columns["prompt_embeds"].push_back(condition.prompt_embeds);
    columns["pooled_prompt_embeds"].push_back(condition.pooled_prompt_embeds);
    columns["add_time_ids"].push_back(condition.add_time_ids);
    if (!model.text) continue;
    columns["input_ids"].push_back(token_ids(*model.text->first, adapters, &Embedding::clip_l, row.caption));
    columns["input_ids_2"].push_back(token_ids(model.text->second, adapters, &Embedding::clip_g, row.caption));
  }
  for (const auto& [name, parts] : columns) tensors_[fmt::format("step.{}.{}", step, name)] = at::cat(parts);
}

void Trace::loss(int64_t step, double loss) {
  tensors_[fmt::format("step.{}.loss", step)] = at::scalar_tensor(loss, at::kDouble);
}

void Trace::write(const std::filesystem::path& path, const std::string& recipe_json) const {
  write_safetensors(path, tensors_, {{"recipe", recipe_json}});
}

}  // namespace negativa
