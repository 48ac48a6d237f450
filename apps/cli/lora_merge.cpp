#include "jobs/lora_merge.h"

#include <cstdio>

#include "host.h"
#include "lora_merge_text.h"
#include "options.h"
#include "verbs.h"

namespace negativa::cli {

int run_lora_merge(const Arguments& args) {
  LoraMergeOptions options;
  CommonOptions common;
  Fields fields = fields_of(options);
  if (!parse_command_line({"lora merge", "several LoRAs as one, and how they interfere", args}, fields, common)) return 0;
  if (common.print_config) {
    std::printf("%s", print_config(fields).c_str());
    return 0;
  }
  TerminalEvents events;
  const LoraMergeReport report = common.dry_run ? plan_lora_merge(engine(), options, events, interrupt_token())
                                                : lora_merge(engine(), options, events, interrupt_token());
  std::printf("%s", (common.json ? json_of(report) + "\n" : text_of(report)).c_str());
  return 0;
}

}  // namespace negativa::cli
