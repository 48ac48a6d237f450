#pragma once
// What a run of pictures or a training will take, before a weight is loaded: the results of --dry-run.
#include "engine/session.h"
#include "pipeline/prediction.h"
#include "train/memory_plan.h"

namespace negativa {

double gibibytes(int64_t bytes);

// What all runs of pictures have; of the first picture where they differ in size.
struct PicturesForecast {
  std::string model, device, dtype, weights_dtype;  // weights_dtype: as Session has it
  int64_t pictures = 0, width_px = 0, height_px = 0;
  int64_t steps_total = 0;  // denoising steps of all pictures
  int workers = 1, threads_a_picture = 1;
  Prediction predicted;
};

struct GenerateForecast : PicturesForecast {
  Path first_file;
};

struct CompareForecast : PicturesForecast {
  Path file;                      // the sheet
  std::vector<std::string> arms;  // labels
  int64_t rows = 0;
};

// `plans`: of all pictures, at least one. Measures the machine's rate for a fifth of a second.
PicturesForecast forecast_pictures(const Session& session, const std::vector<Plan>& plans);

// Of runs that follow each other in one program, at least one: their sums, and the memory of the one that takes most.
PicturesForecast one_after_another(const std::vector<PicturesForecast>& runs);

struct TrainingForecast {
  std::string model;
  int64_t pictures = 0, class_pictures = 0, resolution_px = 0;
  std::optional<int64_t> adapted_layers, vectors;  // of a LoRA, of an embedding
  int64_t rows_a_step = 0;
  std::string dtype;
  std::optional<std::string> weights_dtype;  // absent: as in the file
  int64_t workers = 1, threads_a_worker = 1;
  MemoryPlan memory;
  double seconds = 0;                   // of computing all steps
  std::vector<std::string> would_help;  // memory_advice
};

// All of what --dry-run tells but the number of what is trained.
TrainingForecast forecast_training(const MemoryRequest& memory, const TrainOptions& options);

}  // namespace negativa
