#pragma once
// The parameters a LoRA training moves: all factors side by side in one tensor, so that optimiser, clipping and checkpoints are a
// few whole-tensor operations.
#include "core/generator.h"
#include "train/options.h"
#include "train/trained_parameters.h"

namespace negativa {

// One adapted layer and where its numbers lie.
struct TrainedModule {
  std::string component;  // "unet"
  LoraTarget target;      // a linear layer or a convolution
  int64_t rank = 0;
  double alpha = 0;
  bool has_magnitude = false;  // DoRA
  int64_t offset = 0;          // of down [r, fan_in] in the flat tensor; up [out,r] and magnitude [out] follow

  const std::string& name() const { return target.name; }
  bool is_convolution() const { return target.kind == LoraTarget::Kind::convolution; }
  // Those have a rank of their own (LyCORIS' conv_dim); 1x1 ones go with the linear layers.
  bool is_wide_convolution() const { return is_convolution() && target.kernel > 1; }
  int64_t size() const { return rank * (target.fan_in() + target.out_features) + (has_magnitude ? target.out_features : 0); }
};

class LoraParameters : public TrainedParameters {
 public:
  // dtype fp32, or fp64 where all is computed in fp64. All numbers are zeros until initialise() or load().
  LoraParameters(std::vector<TrainedModule> modules, DType dtype);

  // down ~ N(0, 1/rank), up = 0: the adapter starts as nothing (diffusers' training scripts, init_lora_weights="gaussian").
  void initialise(uint64_t seed);
  // Magnitudes become the norms of the weights' rows (peft tuners/lora/dora.py, update_layer): with up = 0 nothing is changed.
  // weight_of: the layer's weight in its shape, in fp32 or the parameters' dtype.
  void initialise_magnitudes(const std::function<Tensor(const TrainedModule&)>& weight_of);
  // Takes the numbers of a file that has these modules (network_weights.h).
  void load(const LoraFile& lora);

  const std::vector<TrainedModule>& modules() const { return modules_; }
  // The matrices of one module, [r, fan_in] and [out, r], as parts of `flat` or of a tensor shaped like it.
  Tensor down(const TrainedModule& module, const Tensor& flat) const;
  Tensor up(const TrainedModule& module, const Tensor& flat) const;
  Tensor magnitude(const TrainedModule& module, const Tensor& flat) const;  // [out]; has_magnitude only
  // [begin, end) of the modules whose "<component>.<name>" starts so: the optimiser's groups.
  std::pair<int64_t, int64_t> range_of(const std::string& prefix) const;

  TrainedAdapters adapters(bool gradient_checkpointing) const override;
  Trained trained() const override;
  // "<prefix>unet.<module>.lora_A.weight", in the layer's shape; a DoRA's "….lora_magnitude_vector".
  void name_parts(const std::string& prefix, const Tensor& flat, std::map<std::string, Tensor>& named) const override;

 private:
  std::vector<TrainedModule> modules_;
};

// What is trained where no file says it; of `options` all that is not set is resolved.
TrainLoraOptions resolved(const TrainLoraOptions& options);

// The layers that resolved options adapt, in the models' order: q, k, v, out of the UNet's attention ("attention"), its
// feed-forward too ("attention+ff"), and all its convolutions ("attention+ff+conv"), as LyCORIS' preset "full" has them
// (lycoris/kohya.py, UNET_TARGET_REPLACE_MODULE and _NAME; networks/lora.py of sd-scripts leaves conv_in and conv_out out); with
// text_encoders those of both encoders' attention. Throws ErrorKind::input when the model has none.
std::vector<TrainedModule> modules_to_train(const LoraTargets& targets, const TrainLoraOptions& options);

}  // namespace negativa
