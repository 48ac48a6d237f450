#include "jobs/lora_inspect.h"

#include "core/own_thread.h"
#include "jobs/lora_layers.h"

namespace negativa {

LoraReport lora_inspect(Engine& engine, const LoraInspectOptions& options, EventSink&, const CancelToken& cancel) {
  check(!options.file.empty(), ErrorKind::input, "[lora inspect] a LoRA file is needed");
  return on_own_thread(1, [&] {
    const LoraLayers layers = lora_layers(options.model, {options.file}, engine.places());
    LoraReport report = inspect_lora(options.file, &layers.targets, &cancel);
    report.model = layers.model;
    return report;
  });
}

}  // namespace negativa
