#include <cstdio>

#include "jobs/lora_layers.h"
#include "lora/inspect.h"
#include "options.h"
#include "verbs.h"

namespace negativa::cli {

namespace {
struct InspectOptions {
  Path file;
  std::string model;
  bool json = false;
  static void visit(auto& self, auto& v) {
    v("file", self.file, flag("FILE"), "LoRA file or peft folder");
    v("model", self.model, flag("-m,--model"),
      "compare with this model's layers; default: the bundled emoji-xl or full-size SDXL, whichever fits best");
    v("json", self.json, "as JSON");
  }
};
}  // namespace

int run_lora_inspect(const Arguments& args) {
  InspectOptions options;
  Fields fields = fields_of(options);
  if (!parse_command_line({"lora inspect", "what is in a LoRA file and whether it fits a model", args}, fields)) return 0;
  check(!options.file.empty(), ErrorKind::input, "[lora inspect] a LoRA file is needed");
  use_one_thread();
  const LoraLayers layers = lora_layers(options.model, {options.file});
  LoraReport report = inspect_lora(options.file, &layers.targets, &interrupt_token());
  report.model = layers.model;
  std::printf("%s\n", (options.json ? report_json(report) : report_text(report)).c_str());
  return 0;
}

}  // namespace negativa::cli
