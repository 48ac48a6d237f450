#pragma once
// Training rows: which pictures a step takes and the random numbers that go with each, as pure functions of seed and step.
#include "train/cache.h"
#include "train/data_order.h"
#include "train/training_step.h"

namespace negativa {

// Examples with what was computed of them once.
struct EncodedDataset {
  std::vector<Example> examples;
  std::vector<PictureLatents> latents;         // one an example
  std::map<std::string, PromptEmbeds> embeds;  // of each caption; empty where text encoders are trained
};

struct RowOptions {
  uint64_t seed = 0;
  int64_t batch_size = 1, gradient_accumulation = 1;
  bool flip = false;
  double prior_weight = 1, snr_gamma = 0, noise_offset = 0;
  DType dtype = at::kFloat;           // of latents and noise
  std::vector<std::string> captions;  // each row takes one of these by its number; empty: its picture's own
};

class RowSource {
 public:
  // class_pictures: nullptr without prior preservation.
  RowSource(const EncodedDataset& pictures, const EncodedDataset* class_pictures, const Vae& scaling,
            const NoiseSchedule& schedule, RowOptions options);

  // Of optimiser step `step`, from 1: each accumulated batch in turn, its instance rows and then as many class rows. Weights: 1 /
  // batch size (the mean) over the accumulated batches, times min-SNR for instance rows, times the prior weight for class rows.
  std::vector<TrainingRow> rows(int64_t step) const;
  // Of held-out pictures: four timesteps each, noise and posterior mean fixed, so that two steps of a training are comparable.
  std::vector<TrainingRow> validation_rows(const EncodedDataset& pictures) const;
  int64_t epoch(int64_t step) const;

 private:
  TrainingRow row(const EncodedDataset& pictures, const RowChoice& choice, const char* stream, int64_t number) const;
  DataOrder order(const EncodedDataset& pictures, const char* stream) const;

  const EncodedDataset& pictures_;
  const EncodedDataset* class_pictures_;
  const Vae& scaling_;
  const NoiseSchedule& schedule_;
  RowOptions options_;
};

}  // namespace negativa
