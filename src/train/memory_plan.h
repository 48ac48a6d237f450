#pragma once
// Peak memory of a training, foretold from its settings, so that a run that cannot fit is refused before its first step.
#include "train/lora_trainer.h"

namespace negativa {

struct MemoryPlan {
  // Bytes. What is there all the time, what each row's forward pass keeps for its backward pass, and what comes and goes.
  int64_t program = 0, weights = 0, adapters = 0, activations = 0, transient = 0;
  int64_t encoding = 0;  // peak of the stage before: text encoders or VAE
  int64_t previews = 0;  // peak of drawing one between two steps; 0: none are drawn
  int64_t available = 0;

  int64_t steps_peak() const { return program + weights + adapters + activations + transient; }
  int64_t peak() const { return std::max({steps_peak(), encoding, previews}); }
  bool fits() const { return peak() <= available; }
};

// What the prediction follows from, besides model and pictures.
struct MemoryRequest {
  Training training;
  int64_t parameters = 0;      // trained numbers
  bool feed_forward = false;   // adapted too
  bool text_in_steps = false;  // TrainingSubject::text_in_steps
  bool gradient_checkpointing = false;
  int64_t preview_bytes =
      0;  // what drawing one takes besides the program, the UNet in memory and the trained numbers; 0: none are drawn
};
MemoryRequest memory_request(const LoraTraining& training);

MemoryPlan plan_memory(const MemoryRequest& request);
inline MemoryPlan plan_memory(const LoraTraining& training) { return plan_memory(memory_request(training)); }

// What to change, most helpful first: "--gradient-checkpointing: 5.1 GiB instead of 9.0". Empty where nothing would help.
std::vector<std::string> memory_advice(const MemoryRequest& request);

}  // namespace negativa
