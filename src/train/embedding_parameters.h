#pragma once
// The numbers a textual inversion moves: the vectors of a new name for both encoders, side by side in one tensor.
#include "train/trained_parameters.h"

namespace negativa {

class EmbeddingParameters : public TrainedParameters {
 public:
  // Begins with the vectors of `start`, [k,width] and [k,width_2]. dtype as LoraParameters'.
  EmbeddingParameters(const Embedding& start, DType dtype);

  TrainedAdapters adapters(bool gradient_checkpointing) const override;
  Trained trained() const override;
  // "<prefix>clip_l", "<prefix>clip_g"
  void name_parts(const std::string& prefix, const Tensor& flat, std::map<std::string, Tensor>& named) const override;

 private:
  Tensor clip_l(const Tensor& flat) const;
  Tensor clip_g(const Tensor& flat) const;

  std::string name_;
  int64_t vectors_, width_, width_2_;
};

}  // namespace negativa
