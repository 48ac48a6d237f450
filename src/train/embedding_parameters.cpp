#include "train/embedding_parameters.h"

namespace negativa {

EmbeddingParameters::EmbeddingParameters(const Embedding& start, DType dtype)
    : name_(start.name), vectors_(start.clip_l.size(0)), width_(start.clip_l.size(1)), width_2_(start.clip_g.size(1)) {
  flat_ = at::cat({start.clip_l.reshape({-1}), start.clip_g.reshape({-1})}).to(dtype);
}

Tensor EmbeddingParameters::clip_l(const Tensor& flat) const {
  return flat.narrow(0, 0, vectors_ * width_).view({vectors_, width_});
}

Tensor EmbeddingParameters::clip_g(const Tensor& flat) const {
  return flat.narrow(0, vectors_ * width_, vectors_ * width_2_).view({vectors_, width_2_});
}

// Gradient checkpointing is the UNet's: it asks its adapters, of which there are none, whether to.
TrainedAdapters EmbeddingParameters::adapters(bool gradient_checkpointing) const {
  TrainedAdapters result;
  result.gradient = at::zeros_like(flat_);
  const auto leaf = TrainedAdapters::leaf;
  result.embeddings.push_back(
      {name_, leaf(clip_l(flat_), clip_l(result.gradient)), leaf(clip_g(flat_), clip_g(result.gradient))});
  result.components["unet"].gradient_checkpointing = gradient_checkpointing;
  return result;
}

Trained EmbeddingParameters::trained() const {
  return {{}, {{name_, clip_l(flat_).to(at::kFloat, false, true), clip_g(flat_).to(at::kFloat, false, true)}}};
}

void EmbeddingParameters::name_parts(const std::string& prefix, const Tensor& flat, std::map<std::string, Tensor>& named) const {
  named[prefix + "clip_l"] = clip_l(flat).clone();
  named[prefix + "clip_g"] = clip_g(flat).clone();
}

}  // namespace negativa
