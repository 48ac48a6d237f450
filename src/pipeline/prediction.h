#pragma once
// Memory and time of pictures, predicted before a weight is loaded.
#include "model/work.h"
#include "pipeline/text_to_image.h"

namespace negativa {

// FLOP/s of a linear layer of 1024 inputs and outputs on as many rows, in fp32 on the threads of this process: the best of a
// fifth of a second, so that other work on the machine hardly shows.
double matrix_product_rate();

// The share of that rate which whole pictures reach. 0.80 was measured for the UNet of full size; the miniature's pictures, whole
// processes, reached 0.68 (one) to 0.83 (24), Winograd's convolutions counted as plain ones. All of them against the library's
// own product of matrices, which is slower on an AMD.
constexpr double efficiency_of(bool is_small) { return is_small ? 0.75 : 0.8; }

// The same of training steps. 0.22 was measured for the miniature, batch 4 on two cores: its products are too small for the
// library, and gradients take as long as they do.
constexpr double training_efficiency_of(bool is_small) { return is_small ? 0.22 : 0.8; }

// Training of a LoRA or an embedding: the UNet's passes of all steps, forward and back.
struct TrainingWork {
  const UNetConfig& unet;
  int64_t latent_side, rows, workers;  // rows: of all steps
  bool gradient_checkpointing, is_small;
};
// rate: FLOP/s of one worker.
double training_seconds(const TrainingWork& work, double rate);

struct Prediction {
  int64_t program_bytes = 0;      // resident now, with the library at work
  int64_t weights_bytes = 0;      // of what is held at the peak
  int64_t activations_bytes = 0;  // likewise
  int64_t available_bytes = 0;
  double flop = 0, rate = 0, efficiency = 0;  // rate: of all workers together

  int64_t peak_bytes() const { return program_bytes + weights_bytes + activations_bytes; }
  bool fits() const { return peak_bytes() <= available_bytes; }
  double seconds() const { return flop / (rate * efficiency); }  // of computing; reading files comes on top
};

// Bytes besides the program's own: weights of what is held at the peak, and what comes and goes with it.
struct PictureMemory {
  int64_t weights = 0, activations = 0;
};
// unet_is_lent: as Models::lend_unet has it; its weights are somebody else's then.
PictureMemory picture_memory(const Models& models, const std::vector<Plan>& plans, int workers, bool unet_is_lent = false);

// FLOP of one picture: texts, steps, decoding.
double picture_flop(const Models& models, const Plan& plan);
Prediction predict(const Models& models, const std::vector<Plan>& plans, int workers);

}  // namespace negativa
