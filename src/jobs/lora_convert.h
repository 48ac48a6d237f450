#pragma once
// `negativa lora convert`: the same LoRA in another dialect.
#include "base/config.h"
#include "engine/engine.h"
#include "image/events.h"
#include "lora/lora_file.h"

namespace negativa {

struct LoraConvertOptions {
  Path file, out;
  std::string format, model;
  bool allow_unmatched = false;

  static void visit(auto& self, auto& v) {
    v("file", self.file, flag("FILE"), "LoRA file or peft folder, of any dialect");
    v("out", self.out, flag("-o,--out"),
      "file to write; with --format peft a name without .safetensors is a folder for PeftModel");
    v("format", self.format, choices({"diffusers", "kohya", "peft"}),
      "dialect to write: diffusers and kohya open in diffusers' load_lora_weights, peft in PeftModel");
    v("model", self.model, flag("-m,--model"),
      "model whose layers the LoRA is for; default: the bundled emoji-xl or full-size SDXL, whichever fits best");
    v("allow_unmatched", self.allow_unmatched, "keys that fit no layer are left out and listed instead of refused");
  }
};

struct LoraConvertReport {
  Path out;
  std::string from, to;               // dialects
  std::string model;                  // whose layers
  std::map<std::string, int> layers;  // of each component
  std::vector<std::string> left_out;  // keys, with allow_unmatched
  double largest_change = 0;  // of a layer's delta, relative, read back from what was written: 0 where the dialect holds alpha
};

// Throws as read_lora and write_lora do; nothing is written then. ErrorKind::machine when what was written does not read back
// within 1e-6.
LoraConvertReport lora_convert(Engine& engine, const LoraConvertOptions& options, EventSink& events, const CancelToken& cancel);

// All of it but the writing.
LoraConvertReport plan_lora_convert(Engine& engine, const LoraConvertOptions& options, EventSink& events,
                                    const CancelToken& cancel);

}  // namespace negativa
