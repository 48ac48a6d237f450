#pragma once
// Peak memory of a training, predicted from its settings, so that a run that cannot fit is refused before its first step.
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

// Which layers of the UNet are adapted besides attention, and how.
struct Adapted {
  bool feed_forward = false, convolutions = false;
  int64_t conv_rank = 0;  // the largest
  bool dora = false;
};

// What the prediction follows from, besides model and pictures.
struct MemoryRequest {
  Training training;
  int64_t parameters = 0;  // trained elements
  Adapted adapted = {};
  bool text_in_steps = false;  // TrainingSubject::text_in_steps
  bool gradient_checkpointing = false;
  int64_t preview_bytes = 0;  // what drawing one takes besides program, UNet and trained parameters; 0: none are drawn
};
MemoryRequest memory_request(const LoraTraining& training);

// Tensor elements (not bytes) of one row that a forward pass of the UNet keeps for its backward pass, with adapters on all
// attention layers; counted from nn/layer_gradients.cpp and nn/transformer.cpp.
struct KeptElements {
  int64_t blocks = 0;           // inside transformer blocks
  int64_t block_inputs = 0;     // with gradient checkpointing: what goes into self attention, cross attention and feed-forward
  int64_t key_values = 0;       // of the prompt, for each block
  int64_t resnets = 0;          // inputs of both norms
  int64_t convolutions = 0;     // of adapted ones inputs, their first factor's results, and what magnitudes scale
  int64_t largest_section = 0;  // attention or feed-forward of one block, live while it runs again
  int64_t largest_map = 0;      // the widest picture between layers
};
// latent_side: any from 1 up, odd ones included.
KeptElements kept_elements(const UNetConfig& config, int64_t latent_side, const Adapted& adapted);

MemoryPlan plan_memory(const MemoryRequest& request);
inline MemoryPlan plan_memory(const LoraTraining& training) { return plan_memory(memory_request(training)); }

// What to change, most helpful first: "--gradient-checkpointing: 5.1 GiB instead of 9.0". Empty where nothing would help.
std::vector<std::string> memory_advice(const MemoryRequest& request);

}  // namespace negativa
