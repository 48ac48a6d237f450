#pragma once
// What a trained LoRA's header says of its training: kohya's ss_* fields and Stability's model specification 1.0.1, both read by
// A1111's webui, ComfyUI and Civitai. Sources: kohya-ss/sd-scripts train_network.py and library/sai_model_spec.py.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/safetensors.h"

namespace negativa {

struct TrainingFacts {
  std::string output_name;        // the file's stem: the name webuis list it by
  std::string base_model;         // a name, never a path
  std::string base_model_sha256;  // empty: not known
  std::string trigger_phrase;     // the text trained on; empty: captions
  bool is_negative = false;       // usage_hint then sends the trigger phrase to the negative prompt
  std::string comment;

  std::optional<int64_t> rank = 4, conv_rank;        // conv_rank: of convolutions larger than 1x1
  std::optional<double> alpha = 4, conv_alpha;       // rank or alpha absent: layers differ
  bool dora = false;                                 // some layers at the least
  std::string targets;                               // "attention"; empty: those of a file
  double learning_rate = 1e-4;                       // of the UNet
  std::optional<double> text_encoder_learning_rate;  // absent: text encoders were not trained
  std::string lr_scheduler = "constant";
  int64_t lr_warmup_steps = 0;
  std::string optimizer = "AdamW";  // with its arguments: "AdamW(weight_decay=0.0001)"
  double max_grad_norm = 1;

  int64_t steps = 0, max_train_steps = 0;  // done and planned
  int64_t epochs = 0, batches_per_epoch = 0;
  int64_t batch_size = 1, gradient_accumulation = 1;
  int64_t height_px = 1024, width_px = 1024;
  int64_t train_images = 0, class_images = 0;
  uint64_t seed = 0;
  double prior_weight = 1, snr_gamma = 0, noise_offset = 0;
  std::string prediction_type = "epsilon";  // or "v"
  std::string mixed_precision = "no";       // or "bf16", "fp16"
  bool gradient_checkpointing = false, cache_latents = true, flip = false;
  std::map<std::string, int64_t> tag_frequency;  // caption's tag -> pictures that have it

  std::string recipe_json;  // canonical JSON; kept under metadata_recipe
  int64_t date_s = 0;       // since 1970: the time of the training as it is to be said; 0: none
};

inline constexpr const char* metadata_recipe = "negativa.recipe";

// Nothing of it follows from clock, host, user or folder: times are date_s, and the session id follows from date and recipe.
Metadata training_metadata(const TrainingFacts& facts);

// The same for a textual inversion: the specification's fields only, since no program reads ss_* fields there.
Metadata embedding_metadata(const TrainingFacts& facts);

}  // namespace negativa
