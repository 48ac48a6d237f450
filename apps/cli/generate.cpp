#include "jobs/generate.h"

#include <cstdio>

#include "base/files.h"
#include "base/json.h"
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

namespace {

void print_report(const GenerateReport& report, bool json) {
  if (json) {
    std::printf("%s\n", json_of(report).dump(2).c_str());
    return;
  }
  notice("{} made, {} already there, {:.1f} s, peak memory {:.2f} GiB", report.made, report.kept, report.seconds,
         static_cast<double>(report.peak_memory_bytes) / double(1 << 30));
}

}  // namespace

int run_generate(const Arguments& args) {
  GenerateOptions options;
  CommonOptions common;
  Fields fields = fields_of(options);
  if (!parse_command_line({"generate", "draws pictures", args}, fields, common)) return 0;
  if (!options.output.from.empty())
    for (const auto& line : set_from_picture(fields, options, engine(), &interrupt_token())) notice("{}", line);
  use_isa(options.model.isa);
  remember_choices(fields, options.picture);
  options.typed = typed_names(fields);
  if (common.print_config) {
    set_from_model(fields, options, engine());
    std::printf("%s", print_config(fields).c_str());
    return 0;
  }
  TerminalEvents events;
  if (common.dry_run) {
    const auto forecast = forecast_generate(engine(), options, events, interrupt_token());
    std::printf("%s", (common.json ? json_of(forecast) : text_of(forecast)).c_str());
    return 0;
  }
  if (options.model.model.empty()) notice("no -m: the bundled emoji-xl, a miniature of SDXL that draws 64x64 pictures");
  events.picture = [&](const PictureEvent& event) {
    if (common.json) return;  // one document at the end
    if (options.output.show) std::printf("%s", half_blocks(event.image, 80).c_str());
    std::printf("%s\n", event.file.c_str());
    std::fflush(stdout);
  };
  print_report(generate(engine(), options, events, interrupt_token()), common.json);
  return 0;
}

}  // namespace negativa::cli
