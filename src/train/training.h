#pragma once
// What every kind of training stands on: model, pictures, and how it is computed.
#include "io/model_files.h"
#include "schedule/noise_schedule.h"
#include "train/dataset.h"
#include "train/options.h"
#include "unet/unet.h"
#include "vae/vae.h"

namespace negativa {

// All questions answered: nothing below sees "auto".
struct Training {
  ModelFiles files;
  std::optional<VaeFiles> vae;  // another than the model's
  UNetConfig unet;
  VaeConfig vae_config;
  SchedulerConfig scheduler;
  DType compute = at::kFloat;
  std::optional<DType> storage;  // of the UNet's weights; absent: as in the files
  at::Device device = at::kCPU;
  int threads = 1, workers = 1;  // intra-op threads of a worker; workers
  int64_t resolution_px = 0;
  Dataset pictures;
  std::optional<Dataset> class_pictures, validation;

  DType parameter_dtype() const { return compute == at::kDouble ? at::kDouble : at::kFloat; }
};

// Opens model and folders and checks that they fit; loads no weights; sets the threads of the process. Throws ErrorKind::input in
// one line.
Training open_training(const TrainOptions& options, const std::filesystem::path& model, const DataHooks& hooks = {});

}  // namespace negativa
