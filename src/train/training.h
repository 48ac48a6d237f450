#pragma once
// What every kind of training stands on: model, pictures, and how it is computed.
#include "base/places.h"
#include "model/models.h"
#include "train/dataset.h"
#include "train/options.h"

namespace negativa {

// What a training takes from the program that runs it.
struct TrainingHost {
  Places places;
  std::function<std::shared_ptr<void>()> while_loading = {};  // ModelRequest::while_loading, and while pictures are encoded
};

// All questions answered: nothing below sees "auto".
struct Training {
  std::shared_ptr<Models> models;  // holds one part at a time
  TrainingHost host;
  DType compute = at::kFloat;
  std::optional<DType> storage;  // of the UNet's weights; absent: as in the files
  at::Device device = at::kCPU;
  int threads = 1, workers = 1;  // intra-op threads of a worker; workers
  int64_t resolution_px = 0;
  Tiling vae_tiling;  // of the pictures that are encoded
  Dataset pictures;
  std::optional<Dataset> class_pictures, validation;

  const ModelFiles& files() const { return models->files(); }
  const UNetConfig& unet() const { return models->facts().unet; }
  const VaeConfig& vae_config() const { return models->vae_config(); }
  // Whether pictures are encoded in several squares.
  bool is_tiled() const {
    const int64_t side = resolution_px / vae_config().factor();
    return vae_tiling.cuts(side, side);
  }
  const SchedulerConfig& scheduler() const { return models->facts().scheduler; }
  DType parameter_dtype() const { return compute == at::kDouble ? at::kDouble : at::kFloat; }
};

// Opens the model and answers how it is computed with; loads no weights; sets the intra-op threads of the calling thread to those
// of the training. Throws ErrorKind::input in one line.
Training open_training_model(const TrainOptions& options, const TrainingHost& host);

// The same with its folders of pictures, and checks that they fit.
Training open_training(const TrainOptions& options, const TrainingHost& host, const DataHooks& hooks = {});

}  // namespace negativa
