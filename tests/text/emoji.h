#pragma once
// The text part of the bundled model.
#include "base/names.h"
#include "text/golden.h"
#include "text/prompt_encoder.h"

namespace negativa {

inline std::filesystem::path emoji() { return source_path("models/emoji-xl"); }

inline Weights weights_of(const std::filesystem::path& file) {
  const auto opened = SafetensorsFile::open(file);
  Weights weights;
  for (const auto& entry : opened->entries()) {
    TensorSource source;
    source.file = opened;
    source.key = entry.name;
    weights.emplace(entry.name, source);
  }
  return weights;
}

inline Weights emoji_weights(const std::string& encoder) { return weights_of(emoji() / encoder / names::text_weights); }
inline CLIPTextConfig emoji_config(const std::string& encoder) { return CLIPTextConfig::load(emoji() / encoder / names::config); }

inline CLIPTextModel emoji_encoder(const std::string& encoder) {
  return CLIPTextModel::load(encoder, emoji_config(encoder), emoji_weights(encoder));
}

inline TextModels emoji_text_models() {
  return {TextStage{Tokenizer::load(emoji() / names::tokenizer), emoji_encoder(names::text_encoder)},
          TextStage{Tokenizer::load(emoji() / names::tokenizer_2), emoji_encoder(names::text_encoder_2)}};
}

// Greatest difference over greatest entry of `expected`.
inline double relative_error(const Tensor& got, const Tensor& expected) {
  if (got.sizes() != expected.sizes()) return INFINITY;
  return ((got - expected).abs().max() / expected.abs().max()).item<double>();
}

}  // namespace negativa
