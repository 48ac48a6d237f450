#include "jobs/train_embedding.h"

#include <cstdio>

#include "environment.h"
#include "forecast_text.h"
#include "host.h"
#include "options.h"
#include "stderr.h"
#include "train_report.h"
#include "verbs.h"

namespace negativa::cli {

int run_train_embedding(const Arguments& args) {
  TrainEmbeddingOptions options;
  CommonOptions common;
  Fields fields = fields_of(options);
  if (!parse_command_line({"train embedding", "learns a word for the pictures of a folder (textual inversion)", args}, fields,
                          common))
    return 0;
  if (common.print_config) {
    std::printf("%s", print_config(fields).c_str());
    return 0;
  }
  use_isa(options.model.isa);
  TerminalEvents events;
  if (common.dry_run) {
    const auto forecast = forecast_train_embedding(engine(), options, events, interrupt_token());
    std::printf("%s", (common.json ? json_of(forecast) : text_of(forecast)).c_str());
    return 0;
  }
  if (options.model.model.empty()) notice("no -m: the bundled emoji-xl, a miniature of SDXL that draws 64x64 pictures");
  outlive_readers();
  const TrainReport report = train_embedding(engine(), {options, print_config(fields)}, events, interrupt_token());
  print_report(report, common.json);
  const std::string stem = report.file.stem().string(), name = options.name.empty() ? stem : options.name;
  notice("to use it: negativa generate --embedding {}{} and \"{}\" in -p or -n", report.file.string(),
         name == stem ? "" : "=" + name, name);
  return 0;
}

}  // namespace negativa::cli
