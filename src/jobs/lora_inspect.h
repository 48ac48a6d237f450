#pragma once
// `negativa lora inspect`: what is in a LoRA file and whether it fits a model.
#include "base/config.h"
#include "engine/engine.h"
#include "image/events.h"
#include "lora/inspect.h"

namespace negativa {

struct LoraInspectOptions {
  Path file;
  std::string model;

  static void visit(auto& self, auto& v) {
    v("file", self.file, flag("FILE"), "LoRA file or peft folder");
    v("model", self.model, flag("-m,--model"),
      "compare with this model's layers; default: the bundled emoji-xl or full-size SDXL, whichever fits best");
  }
};

// Throws as lora_layers and inspect_lora do.
LoraReport lora_inspect(Engine& engine, const LoraInspectOptions& options, EventSink& events, const CancelToken& cancel);

}  // namespace negativa
