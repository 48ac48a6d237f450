#include "text/text_models.h"

namespace negativa {

CLIPTextConfig text_config(const ModelFiles& files, const std::string& part) {
  return CLIPTextConfig::parse(files.config_json(part), files.name + "/" + part + "/config.json");
}

TextModels load_text_models(const ModelFiles& files, const std::function<nn::LoadOptions(const std::string& part, const Weights&)>& options) {
  const auto stage = [&](const std::string& encoder, const std::string& tokenizer) {
    const auto weights = files.weights(encoder);
    return TextStage{Tokenizer::load(files.tokenizer_folder(tokenizer)), CLIPTextModel::load(encoder, text_config(files, encoder), weights, options(encoder, weights))};
  };
  TextModels models{{}, stage("text_encoder_2", "tokenizer_2")};
  if (files.has("text_encoder")) models.first = stage("text_encoder", "tokenizer");
  return models;
}

}  // namespace negativa
