#include "jobs/compare.h"

#include <cstdio>

#include "base/json.h"
#include "base/recipe.h"
#include "environment.h"
#include "forecast_text.h"
#include "host.h"
#include "image/terminal.h"
#include "jobs/without_effect.h"
#include "options.h"
#include "report_json.h"
#include "stderr.h"
#include "verbs.h"

namespace negativa::cli {

int run_compare(const Arguments& args) {
  CompareOptions options;
  CommonOptions common;
  Fields fields = fields_of(options);
  if (!parse_command_line({"compare", "shows what a negative word and LoRA, arms and options do to a prompt, side by side", args},
                          fields, common))
    return 0;
  use_isa(options.model.isa);
  remember_choices(fields, options.picture);
  options.typed = typed_names(fields);
  if (common.print_config) {
    std::printf("%s", print_config(fields).c_str());
    return 0;
  }
  TerminalEvents events;
  if (common.dry_run) {
    const auto forecast = forecast_compare(engine(), options, events, interrupt_token());
    std::printf("%s", (common.json ? json_of(forecast) : text_of(forecast)).c_str());
    return 0;
  }
  const CompareReport report = compare(engine(), options, events, interrupt_token());
  if (common.json) {
    std::printf("%s\n", json_of(report).dump(2).c_str());
    return 0;
  }
  for (const auto& file : report.files) {
    if (options.show) std::printf("%s", half_blocks(read_png(file).image, 120).c_str());
    std::printf("%s\n", file.c_str());
  }
  notice("peak memory {:.2f} GiB", static_cast<double>(peak_memory_bytes()) / double(1 << 30));
  return 0;
}

}  // namespace negativa::cli
