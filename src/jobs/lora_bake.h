#pragma once
// `negativa lora bake`: a model with LoRAs in its weights.
#include "base/config.h"
#include "engine/engine.h"
#include "image/events.h"
#include "lora/bake.h"

namespace negativa {

struct LoraBakeOptions {
  std::string model, weights_dtype = "auto";
  std::vector<std::string> lora;
  Path out;
  bool allow_unmatched = false;

  static void visit(auto& self, auto& v) {
    v("model", self.model, flag("-m,--model"),
      "diffusers folder, SGM .safetensors file or a name in $NEGATIVA_MODELS; default: the bundled emoji-xl");
    v("lora", self.lora, "FILE[:WEIGHT]; may be repeated");
    v("out", self.out, flag("-o,--out"), "folder to write, in diffusers' layout; it must not exist, or be empty");
    v("weights_dtype", self.weights_dtype, choices({"auto", "fp32", "bf16", "fp16"}),
      "number format the weights are stored in; auto: as in the model's files");
    v("allow_unmatched", self.allow_unmatched, "LoRA keys that fit no layer are skipped and listed instead of refused");
  }
};

struct LoraBakeReport {
  Path out;
  std::string model;
  std::vector<std::string> names;  // of the LoRAs
  BakeReport baked;
};

// The folder appears when all of it is written. Throws as bake and read_lora do.
LoraBakeReport lora_bake(Engine& engine, const LoraBakeOptions& options, EventSink& events, const CancelToken& cancel);

// All of it but the writing: what would be changed and how much written.
LoraBakeReport plan_lora_bake(Engine& engine, const LoraBakeOptions& options, EventSink& events, const CancelToken& cancel);

}  // namespace negativa
