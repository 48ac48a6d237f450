#pragma once
// What a person sets of a training run. Names are those of the command line (`negativa train lora --help`).
#include <optional>

#include "base/config.h"

namespace negativa {

// The model that is trained on and how it is computed with: the same for every kind of training.
struct TrainModelOptions {
  std::string model;  // empty: the bundled model
  std::string vae;
  std::string dtype = "auto", weights_dtype = "auto", device = "auto", isa = "auto";
  int threads = 0;
  bool gradient_checkpointing = false;
  std::optional<int64_t> vae_tile;

  static void visit(auto& self, auto& v) {
    v("model", self.model, flag("-m,--model"),
      "diffusers folder, SGM .safetensors file or a name in $NEGATIVA_MODELS; default: the bundled emoji-xl");
    v("vae", self.vae, "VAE file or folder instead of the model's own");
    v("dtype", self.dtype, choices({"auto", "fp32", "bf16", "fp64"}),
      "number format of the computation; auto: fp32 on a CPU, bf16 on a GPU; fp64: for comparing with other programs");
    v("weights_dtype", self.weights_dtype, choices({"auto", "fp32", "bf16", "fp16", "int8"}),
      "number format the frozen weights are kept in, cast layer by layer; auto: as in the file, parts under 1 GiB as --dtype");
    v("device", self.device, choices({"auto", "cpu", "cuda"}), "where to compute; auto: a GPU if there is one");
    v("threads", self.threads, range(0, 1024), "CPU threads; 0: all cores");
    v("isa", self.isa, choices({"auto", "baseline", "avx2", "avx512"}),
      "instructions of the CPU to compute with, on which the last bits depend; auto: all that this machine has");
    v("gradient_checkpointing", self.gradient_checkpointing,
      "keep block inputs only and compute the rest again in the backward pass: a third slower, a fifth of the memory");
    v("vae_tile", self.vae_tile, range(0, 16384), unit("px"),
      "encode pictures in squares of this side, 0: whole; default: whole, squares of 512 where memory would not do");
  }
};

// Pictures and texts.
struct TrainDataOptions {
  Path data, class_data, validation_data;
  std::string prompt, class_prompt;
  bool captions = false, flip = false, skip_broken = false;
  int64_t class_count = 100;
  std::optional<int64_t> resolution;

  static void visit(auto& self, auto& v) {
    visit_pictures(self, v);
    v("class_data", self.class_data,
      "folder of pictures of the class, which keep the model from forgetting it (prior preservation); drawn with --class-prompt "
      "where too few");
    v("class_prompt", self.class_prompt, "text of the class pictures");
    v("class_count", self.class_count, range(1, 100000), "class pictures to have");
  }
  static void visit_pictures(auto& self, auto& v) {
    v("data", self.data, "folder of PNG, JPEG or WebP pictures to learn from");
    v("prompt", self.prompt, flag("-p,--prompt"), "text of every picture: \"wrong\", \"a sks dog\"");
    v("captions", self.captions, "text of a picture from NAME.txt beside it, or from metadata.jsonl");
    v("resolution", self.resolution, range(8, 16384), unit("px"),
      "pictures are resized and cropped to this square; default: the model's training size");
    v("flip", self.flip, "show each picture mirrored half of the time");
    v("skip_broken", self.skip_broken, "leave broken pictures out and list them instead of stopping");
    v("validation_data", self.validation_data,
      "folder of held-out pictures, whose loss at fixed noise tells which step was best");
  }
};

// How the parameters move.
struct TrainStepOptions {
  int64_t steps = 500, batch_size = 1, gradient_accumulation = 1;
  double learning_rate = 1e-4;
  std::string lr_scheduler = "constant";
  int64_t lr_warmup = 0;
  std::string optimizer = "adamw";
  double weight_decay = 1e-4, max_grad_norm = 1;
  double prior_weight = 1, snr_gamma = 0, noise_offset = 0;
  uint64_t seed = 0;

  static void visit(auto& self, auto& v) {
    visit_without_prior(self, v);
    v("prior_weight", self.prior_weight, range(0.0, 1000.0), "of the class pictures' loss");
  }
  static void visit_without_prior(auto& self, auto& v) {
    v("steps", self.steps, range(1, 10000000), "optimiser steps");
    v("batch_size", self.batch_size, range(1, 1024), "batch size: pictures of one accumulated batch");
    v("gradient_accumulation", self.gradient_accumulation, range(1, 1024), "batches whose gradients make one step");
    v("learning_rate", self.learning_rate, range(0.0, 100.0), "of AdamW");
    v("lr_scheduler", self.lr_scheduler, choices({"constant", "cosine"}), "course of the learning rate after the warm-up");
    v("lr_warmup", self.lr_warmup, range(0, 10000000), "steps in which the learning rate rises from 0");
    v("optimizer", self.optimizer, choices({"adamw"}), "arXiv:1711.05101");
    v("weight_decay", self.weight_decay, range(0.0, 1.0), "of AdamW");
    v("max_grad_norm", self.max_grad_norm, range(0.0, 1e9), "longer gradients are scaled down to this length; 0: never");
    v("snr_gamma", self.snr_gamma, range(0.0, 1000.0), "min-SNR weighting (arXiv:2303.09556), usually 5; 0: none");
    v("noise_offset", self.noise_offset, range(0.0, 10.0), "adds this much of one number a channel to the noise; 0: none");
    v("seed", self.seed, "of first weights, noise, timesteps and order");
  }
};

// Where results go and how a run is looked after; none of it changes what is trained.
struct TrainRunOptions {
  Path out, save_trace;
  int64_t checkpoint_every = 100, validate_every = 100;
  std::string validation_prompt, resume = "auto";
  bool force = false;

  static void visit(auto& self, auto& v) {
    v("out", self.out, flag("-o,--out"), "the trained file; beside it the run's folder (config, losses, checkpoints, previews)");
    v("checkpoint_every", self.checkpoint_every, range(1, 10000000), unit("steps"), "what a killed run loses at most");
    v("validation_prompt", self.validation_prompt, "draw this prompt as training goes on, always from the same noise");
    v("validate_every", self.validate_every, range(1, 10000000), unit("steps"), "preview and validation loss");
    v("resume", self.resume, choices({"auto", "never"}),
      "auto: goes on where the run of the same settings stopped; never: moves an older run aside");
    v("force", self.force, "start although the predicted memory does not fit");
    v("save_trace", self.save_trace, "safetensors file with every step's inputs, for replaying the run in another program");
  }
};

// What every kind of training has.
struct TrainOptions {
  TrainModelOptions model;
  TrainDataOptions data;
  TrainStepOptions step;
  TrainRunOptions run;
};

struct TrainLoraOptions : TrainOptions {
  Path network_weights;
  std::optional<int64_t> rank, conv_rank;
  std::optional<double> alpha, conv_alpha, text_encoder_learning_rate;
  std::optional<std::string> targets;
  std::string format = "diffusers";
  bool dora = false, text_encoders = false;

  static void visit(auto& self, auto& v) {
    TrainDataOptions::visit(self.data, v);
    v("network_weights", self.network_weights,
      "LoRA file or folder to go on from (LoRA, LoCon or DoRA); layers, ranks and alphas are the file's");
    v("rank", self.rank, range(1, 4096), "width of the low-rank factors; default: 4");
    v("alpha", self.alpha, range(1e-6, 1e6), "the adapter is scaled by alpha / rank; default: the rank");
    v("targets", self.targets, choices({"attention", "attention+ff", "attention+ff+conv"}),
      "layers that are adapted; default: attention");
    v("conv_rank", self.conv_rank, range(1, 4096), "rank of convolutions larger than 1x1; default: --rank");
    v("conv_alpha", self.conv_alpha, range(1e-6, 1e6), "alpha of convolutions larger than 1x1; default: their rank");
    v("dora", self.dora, "train a magnitude of every output too (arXiv:2402.09353)");
    v("text_encoders", self.text_encoders, "adapt the text encoders' attention too");
    v("text_encoder_learning_rate", self.text_encoder_learning_rate, range(0.0, 100.0), "of the text encoders; default: 5e-6");
    TrainStepOptions::visit(self.step, v);
    v("format", self.format, choices({"diffusers", "kohya", "peft"}), "naming of the file; lora convert changes it later");
    TrainRunOptions::visit(self.run, v);
    TrainModelOptions::visit(self.model, v);
  }
};

// Pictures of a class say nothing of a new name: no prior preservation. Defaults as in diffusers,
// examples/textual_inversion/textual_inversion_sdxl.py, which does not clip.
struct TrainEmbeddingOptions : TrainOptions {
  std::string name, initializer, learnable = "object";
  int64_t vectors = 1;
  bool negative = false;

  TrainEmbeddingOptions() {
    step.weight_decay = 1e-2;
    step.max_grad_norm = 0;
  }

  static void visit(auto& self, auto& v) {
    TrainDataOptions::visit_pictures(self.data, v);
    v("name", self.name, "the new word; default: the stem of -o");
    v("vectors", self.vectors, range(1, 75), "tokens the name stands for");
    v("initializer", self.initializer, "word of one token to start from; default: random rows, spread as the vocabulary's");
    v("learnable", self.learnable, choices({"object", "style"}),
      "which sentences the name is put into where neither --prompt nor --captions is given");
    v("negative", self.negative, "the file says that the name belongs into negative prompts");
    TrainStepOptions::visit_without_prior(self.step, v);
    TrainRunOptions::visit(self.run, v);
    TrainModelOptions::visit(self.model, v);
  }
};

}  // namespace negativa
