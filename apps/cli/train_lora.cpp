#include "jobs/train_lora.h"

#include <cstdio>

#include "environment.h"
#include "forecast_text.h"
#include "host.h"
#include "io/models_folder.h"
#include "options.h"
#include "stderr.h"
#include "train/presets.h"
#include "train_report.h"
#include "verbs.h"

namespace negativa::cli {

int run_train_lora(const Arguments& args) {
  TrainLoraOptions options;
  CommonOptions common;
  Fields fields = fields_of(options);
  const auto preset_file = [](const std::string& name) { return training_preset(name, bundled_models_folder()).file; };
  CommandLine line{"train lora", "learns a LoRA from a folder of pictures", args, preset_file};
  for (const auto& preset : training_presets(bundled_models_folder())) line.preset_names.push_back(preset.name);
  if (!parse_command_line(line, fields, common)) return 0;
  if (common.print_config) {
    std::printf("%s", print_config(fields).c_str());
    return 0;
  }
  use_isa(options.model.isa);
  TerminalEvents events;
  if (common.dry_run) {
    const auto forecast = forecast_train_lora(engine(), options, events, interrupt_token());
    std::printf("%s", (common.json ? json_of(forecast) : text_of(forecast)).c_str());
    return 0;
  }
  if (options.model.model.empty()) notice("no -m: the bundled emoji-xl, a miniature of SDXL that draws 64x64 pictures");
  outlive_readers();
  print_report(train_lora(engine(), {options, print_config(fields)}, events, interrupt_token()), common.json);
  return 0;
}

}  // namespace negativa::cli
