#pragma once
// What a training moves, as optimiser, steps, checkpoints and traces see it: one flat tensor, and the way from there into the
// models.
#include "lora/lora_file.h"
#include "nn/adapters.h"
#include "text/embedding_file.h"

namespace negativa {

// For one worker: adapters and embeddings whose values are leaves of its graph, sharing the values and owning the gradients.
struct TrainedAdapters {
  std::map<std::string, nn::Adapters> components;
  std::vector<Embedding> embeddings;
  Tensor gradient;  // flat; the leaves' .grad() are its parts

  const nn::Adapters& of(const std::string& component) const;
  // values and gradient: the same part of the flat tensor and of `gradient`.
  static Tensor leaf(const Tensor& values, const Tensor& gradient);
};

// What has been trained so far, as a request uses it: fp32 copies.
struct Trained {
  LoraFile lora;
  std::vector<Embedding> embeddings;
};

class TrainedParameters {
 public:
  virtual ~TrainedParameters() = default;

  Tensor& flat() { return flat_; }
  const Tensor& flat() const { return flat_; }
  virtual TrainedAdapters adapters(bool gradient_checkpointing) const = 0;
  virtual Trained trained() const = 0;
  // "<prefix><name in the file>" -> copy, for every part of `flat` or of a tensor shaped like it: how traces and messages name
  // them.
  virtual void name_parts(const std::string& prefix, const Tensor& flat, std::map<std::string, Tensor>& named) const = 0;

 protected:
  Tensor flat_;
};

}  // namespace negativa
