#pragma once
// Tokenizers and text encoders of a model as one thing.
#include "io/model_files.h"
#include "text/prompt_encoder.h"

namespace negativa {

// Throws as the readers of its parts do. options: how the weights of one encoder are kept.
TextModels load_text_models(const ModelFiles& files,
                            const std::function<nn::LoadOptions(const std::string& part, const Weights&)>& options);

// What a UNet needs of the encoders: elements a token, and inputs of its add_embedding, of which each size takes `a_size`.
struct TextNeeds {
  int64_t context, add_embedding, a_size;
};
// Throws ErrorKind::input, saying which encoder is missing, where they give something else.
void check_text_fits(const ModelFiles& files, const TextNeeds& needs);

CLIPTextConfig text_config(const ModelFiles& files, const std::string& part);

}  // namespace negativa
