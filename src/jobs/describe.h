#pragma once
// What --dry-run prints.
#include "base/json_fwd.h"
#include "jobs/engine.h"
#include "pipeline/prediction.h"

namespace negativa {

// One "key value" a line, or JSON.
std::string described(const Json& plan, bool as_json);

double gibibytes(int64_t bytes);

// A run of pictures: size and steps, threads, predicted memory and time; `plan` has what else there is to say.
std::string describe_pictures(const Engine& engine, const std::vector<Plan>& plans, Json plan, bool as_json);

// Seconds that training of a LoRA or an embedding computes: the UNet's passes of all steps, forward and back.
struct TrainingWork {
  const UNetConfig& unet;
  int64_t latent_side, rows, workers;  // rows: of all steps
  bool gradient_checkpointing, is_small;
};
double predicted_seconds(const TrainingWork& work);

}  // namespace negativa
