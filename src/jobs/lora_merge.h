#pragma once
// `negativa lora merge`: several LoRAs as one file, and how much they get into each other's way.
#include "base/config.h"
#include "engine/engine.h"
#include "image/events.h"
#include "lora/merge.h"

namespace negativa {

struct LoraMergeOptions {
  std::vector<std::string> loras;
  Path out;
  std::string method = "concat", format, model;
  std::optional<int64_t> rank;
  bool allow_unmatched = false;

  static void visit(auto& self, auto& v) {
    v("loras", self.loras, flag("FILE[:WEIGHT]"), "LoRAs and their weights (1 where none is given), of any dialects and ranks");
    v("out", self.out, flag("-o,--out"),
      "file to write; with --format peft a name without .safetensors is a folder for PeftModel");
    v("method", self.method, choices({"concat", "svd"}),
      "concat: the exact sum, ranks add up; svd: the nearest matrix of --rank");
    v("rank", self.rank, range(1, 4096), "of every layer, with --method svd; default: the largest that a LoRA has there");
    v("format", self.format, choices({"diffusers", "kohya", "peft"}), "dialect to write; default: that of the first LoRA");
    v("model", self.model, flag("-m,--model"),
      "model whose layers the LoRAs are for; default: the bundled emoji-xl or full-size SDXL, whichever fits best");
    v("allow_unmatched", self.allow_unmatched, "keys that fit no layer are left out and listed instead of refused");
  }
};

struct LoraMergeReport {
  Path out;
  std::string format, model;
  std::vector<std::string> names;  // of the LoRAs
  std::vector<MergedLayer> layers;
  std::optional<double> mean_cosine, least_cosine, greatest_cosine;  // over layers and pairs; absent: no layer has two LoRAs
  double kept_energy = 1;                                            // of all layers together
  double error = 0, best_error = 0;                                  // likewise
};

// Throws as read_lora, merge_loras and write_lora do; nothing is written then.
LoraMergeReport lora_merge(Engine& engine, const LoraMergeOptions& options, EventSink& events, const CancelToken& cancel);

// All of it but the writing.
LoraMergeReport plan_lora_merge(Engine& engine, const LoraMergeOptions& options, EventSink& events, const CancelToken& cancel);

}  // namespace negativa
