#pragma once
// The parameters a LoRA training moves: all factors side by side in one tensor, so that optimiser, clipping and checkpoints are a
// few whole-tensor operations.
#include "core/generator.h"
#include "train/trained_parameters.h"

namespace negativa {

// One adapted layer and where its factors lie.
struct TrainedModule {
  std::string component, name;  // "unet", "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q"
  int64_t in_features = 0, out_features = 0;
  int64_t offset = 0;  // of down [r,in] in the flat tensor; up [out,r] follows
};

class LoraParameters : public TrainedParameters {
 public:
  // dtype fp32, or fp64 where all is computed in fp64. Factors are zeros until initialise() or load.
  LoraParameters(std::vector<TrainedModule> modules, int64_t rank, double alpha, DType dtype);

  // down ~ N(0, 1/rank), up = 0: the adapter starts as nothing (diffusers' training scripts, init_lora_weights="gaussian").
  void initialise(uint64_t seed);

  const std::vector<TrainedModule>& modules() const { return modules_; }
  int64_t rank() const { return rank_; }
  double alpha() const { return alpha_; }
  // The factors of one module as parts of `flat` or of a tensor shaped like it.
  Tensor down(const TrainedModule& module, const Tensor& flat) const;
  Tensor up(const TrainedModule& module, const Tensor& flat) const;
  // [begin, end) of the modules whose "<component>.<name>" starts so: the optimiser's groups.
  std::pair<int64_t, int64_t> range_of(const std::string& prefix) const;

  TrainedAdapters adapters(bool gradient_checkpointing) const override;
  Trained trained() const override;
  // "<prefix>unet.<module>.lora_A.weight"
  void name_parts(const std::string& prefix, const Tensor& flat, std::map<std::string, Tensor>& named) const override;

 private:
  std::vector<TrainedModule> modules_;
  int64_t rank_;
  double alpha_;
};

// The layers a training adapts, in the models' order: q, k, v, out of the UNet's attention ("attention"), its feed-forward too
// ("attention+ff"), and with text_encoders those of both encoders' attention. Throws ErrorKind::input when the model has none.
std::vector<TrainedModule> modules_to_train(const LoraTargets& targets, const std::string& which, bool text_encoders);

}  // namespace negativa
