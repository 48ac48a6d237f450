#include "jobs/lora_inspect.h"

#include "jobs/lora_layers.h"

namespace negativa {

LoraReport lora_inspect(const LoraInspectOptions& options, const CancelToken& cancel) {
  check(!options.file.empty(), ErrorKind::input, "[lora inspect] a LoRA file is needed");
  use_one_thread();
  const LoraLayers layers = lora_layers(options.model, {options.file});
  LoraReport report = inspect_lora(options.file, &layers.targets, &cancel);
  report.model = layers.model;
  return report;
}

}  // namespace negativa
