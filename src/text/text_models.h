#pragma once
// Tokenizers and text encoders of a model as one thing.
#include "io/model_files.h"
#include "text/prompt_encoder.h"

namespace negativa {

// Throws as the readers of its parts do. options: how the weights of one encoder are kept.
TextModels load_text_models(const ModelFiles& files, const std::function<nn::LoadOptions(const std::string& part, const Weights&)>& options);

CLIPTextConfig text_config(const ModelFiles& files, const std::string& part);

}  // namespace negativa
