#include "text/text_models.h"

namespace negativa {

CLIPTextConfig text_config(const ModelFiles& files, const std::string& part) {
  return CLIPTextConfig::parse(files.config_json(part), files.config_name(part));
}

void check_text_fits(const ModelFiles& files, const TextNeeds& needs) {
  const std::string where = files.path.string();
  const bool has_first = files.has("text_encoder"), has_second = files.has("text_encoder_2");
  check(has_second, ErrorKind::input, "[{}] holds {}; a model needs both, give the whole one", where,
        has_first ? "no second text encoder (text_encoder_2)" : "no text encoders, only the rest of a model");
  const auto second = text_config(files, "text_encoder_2");
  const int64_t context = second.hidden_size + (has_first ? text_config(files, "text_encoder").hidden_size : 0);
  check(
      has_first || context == needs.context, ErrorKind::input,
      "[{}] holds no first text encoder (text_encoder): its UNet reads {} elements a token, text_encoder_2 alone gives {}; give "
      "the whole model",
      where, needs.context, context);
  check(context == needs.context, ErrorKind::input,
        "[{}] has a UNet that reads {} elements a token, its text encoders give {}; are these parts of different models?", where,
        needs.context, context);
  const int64_t of_sizes = needs.add_embedding - second.projection_dim;
  check(second.with_projection && (of_sizes == 5 * needs.a_size || of_sizes == 6 * needs.a_size), ErrorKind::input,
        "[{}] has a UNet that takes {} elements of the pooled text and of 5 or 6 sizes ({} each), text_encoder_2 gives {}; are "
        "these parts of different models?",
        where, needs.add_embedding, needs.a_size, second.with_projection ? second.projection_dim : 0);
}

TextModels load_text_models(const ModelFiles& files,
                            const std::function<nn::LoadOptions(const std::string& part, const Weights&)>& options) {
  const auto stage = [&](const std::string& encoder, const std::string& tokenizer) {
    const auto weights = files.weights(encoder);
    return TextStage{Tokenizer::load(files.tokenizer_folder(tokenizer)),
                     CLIPTextModel::load(encoder, text_config(files, encoder), weights, options(encoder, weights))};
  };
  TextModels models{{}, stage("text_encoder_2", "tokenizer_2")};
  if (files.has("text_encoder")) models.first = stage("text_encoder", "tokenizer");
  return models;
}

}  // namespace negativa
