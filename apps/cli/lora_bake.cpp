#include "jobs/lora_bake.h"

#include <cstdio>

#include "base/json.h"
#include "base/recipe.h"
#include "host.h"
#include "options.h"
#include "report_json.h"
#include "stderr.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

void print_report(const LoraBakeReport& report, bool dry_run, bool json) {
  const double mebibytes = static_cast<double>(report.baked.bytes) / double(1 << 20);
  if (json) {
    std::printf("%s\n", json_of(report).dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  std::string changed;
  for (const auto& [part, count] : report.baked.changed)
    changed += fmt::format("{}{} weights of {}", changed.empty() ? "" : ", ", count, part);
  if (dry_run)
    std::printf("%s\n", fmt::format("{} changed, {:.1f} MiB -> {}", changed, mebibytes, report.out.string()).c_str());
  else
    std::printf("%s\n", report.out.c_str());
  if (!dry_run)
    notice("{} changed, {:.1f} MiB, peak memory {:.2f} GiB", changed, mebibytes,
           static_cast<double>(peak_memory_bytes()) / double(1 << 30));
}

}  // namespace

int run_lora_bake(const Arguments& args) {
  LoraBakeOptions options;
  CommonOptions common;
  Fields fields = fields_of(options);
  if (!parse_command_line({"lora bake", "a model with LoRAs in its weights", args}, fields, common)) return 0;
  TerminalEvents events;
  if (common.print_config)
    std::printf("%s", print_config(fields).c_str());
  else
    print_report(common.dry_run ? plan_lora_bake(engine(), options, events, interrupt_token())
                                : lora_bake(engine(), options, events, interrupt_token()),
                 common.dry_run, common.json);
  return 0;
}

}  // namespace negativa::cli
