#include "jobs/lora_convert.h"

#include <cstdio>

#include "base/json.h"
#include "host.h"
#include "options.h"
#include "report_json.h"
#include "stderr.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

void print_report(const LoraConvertReport& report, bool dry_run, bool json) {
  if (json) {
    std::printf("%s\n", json_of(report, dry_run).dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  int layers = 0;
  for (const auto& [component, count] : report.layers) layers += count;
  if (dry_run)
    std::printf("%d layers of %s, %s -> %s %s\n", layers, report.model.c_str(), report.from.c_str(), report.to.c_str(),
                report.out.c_str());
  else
    std::printf("%s\n", report.out.c_str());
  if (!dry_run)
    notice("{} layers of {}, {} -> {}, largest change of a layer {:.1e}", layers, report.model, report.from, report.to,
           report.largest_change);
}

}  // namespace

int run_lora_convert(const Arguments& args) {
  LoraConvertOptions options;
  CommonOptions common;
  Fields fields = fields_of(options);
  if (!parse_command_line({"lora convert", "the same LoRA in another dialect", args}, fields, common)) return 0;
  TerminalEvents events;
  if (common.print_config)
    std::printf("%s", print_config(fields).c_str());
  else
    print_report(common.dry_run ? plan_lora_convert(engine(), options, events, interrupt_token())
                                : lora_convert(engine(), options, events, interrupt_token()),
                 common.dry_run, common.json);
  return 0;
}

}  // namespace negativa::cli
