#pragma once
// One optimiser step's gradient. The unit of computation is one row, a picture with its noise: rows are run one by one, side by
// side on the workers of a small model, and their gradients are added in the order of the rows. So a batch of 2 and two
// accumulated batches of 1 give the same values, and so do runs with other numbers of workers. Source: diffusers,
// examples/dreambooth/train_dreambooth_lora_sdxl.py; docs/formats.md says where we differ.
#include <mutex>

#include "base/cancel.h"
#include "schedule/noise_schedule.h"
#include "text/prompt_encoder.h"
#include "train/trained_parameters.h"
#include "unet/unet.h"

namespace negativa {

struct TrainingRow {
  std::string picture;                         // its name, for messages
  Tensor latents;                              // [1,C,h,w], noise-free, × scaling_factor
  Tensor noise;                                // [1,C,h,w]
  int64_t timestep = 0;                        // 0 … num_train_timesteps - 1
  std::string caption;                         // encoded anew in each step where text encoders or names are trained
  Tensor prompt_embeds, pooled_prompt_embeds;  // [1,77,D], [1,P]
  Tensor time_ids;                             // [1,6]
  double weight = 1;                           // of the row's mean squared error in the step's loss
};

struct StepResult {
  double loss = 0;                 // sum of weight × mean squared error
  Tensor gradient;                 // flat, of that sum
  std::vector<double> row_losses;  // mean squared errors, unweighted
};

// What does not change during a training.
struct TrainingModel {
  const UNet& unet;
  const TextModels* text = nullptr;  // where its encoders or names are trained
  const NoiseSchedule& schedule;
  DType compute = at::kFloat;
  at::Device device = at::kCPU;
  int workers = 1;  // threads that run rows side by side, each with one intra-op thread
  bool gradient_checkpointing = false;
};

// Noisy latents of a row: sqrt(ᾱ) latents + sqrt(1-ᾱ) noise, ᾱ cast to the compute dtype before the roots (sdxl.md pitfall 53).
Tensor add_noise(const NoiseSchedule& schedule, const Tensor& latents, const Tensor& noise, int64_t timestep);

// min(snr, gamma) / snr, the weight of epsilon prediction (Hang et al. 2023, arXiv:2303.09556, section 3.4); 1 without gamma.
double min_snr_weight(const NoiseSchedule& schedule, int64_t timestep, double gamma);

// What the UNet is told of the row; with trained text encoders or names a graph leads back to them.
UNetCondition row_condition(const TrainingModel& model, const TrainingRow& row, const TrainedAdapters& adapters);

// The row's mean squared error, a scalar in fp32 (fp64 where that is computed in), with a graph where the adapters want
// gradients.
Tensor row_loss(const TrainingModel& model, const TrainingRow& row, const TrainedAdapters& adapters);

// Runs rows on a model; made once for a training.
class StepRunner {
 public:
  StepRunner(TrainingModel model, const TrainedParameters& parameters);
  // Throws ErrorKind::machine naming picture and what is not finite; ErrorKind::cancelled between two rows.
  StepResult run(const std::vector<TrainingRow>& rows, const CancelToken* cancel);
  // Mean of the rows' losses without gradients.
  double evaluate(const std::vector<TrainingRow>& rows, const CancelToken* cancel);
  const TrainingModel& model() const { return model_; }
  const TrainedAdapters& adapters() const { return adapters_.front(); }

 private:
  template <class Work>
  void for_each_row(size_t rows, const CancelToken* cancel, const Work& work);  // work(row, worker)

  TrainingModel model_;
  const TrainedParameters& parameters_;
  std::vector<TrainedAdapters> adapters_;  // one a worker
};

}  // namespace negativa
