#include "jobs/model_convert.h"

#include <cstdio>

#include "base/json.h"
#include "host.h"
#include "options.h"
#include "report_json.h"
#include "stderr.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

void print_report(const ModelConvertReport& report, bool dry_run, bool json) {
  if (json) {
    std::printf("%s\n", json_of(report).dump(2, ' ', false, Json::error_handler_t::replace).c_str());
    return;
  }
  const std::string what =
      fmt::format("{} tensors, {:.1f} MiB", report.tensors, static_cast<double>(report.bytes) / double(1 << 20));
  if (dry_run)
    std::printf("%s -> %s\n", what.c_str(), report.out.c_str());
  else
    std::printf("%s\n", report.out.c_str());
  if (!dry_run) notice("{}", what);
}

}  // namespace

int run_model_convert(const Arguments& args) {
  ModelConvertOptions options;
  CommonOptions common;
  Fields fields = fields_of(options);
  if (!parse_command_line({"model convert", "a model or any file of tensors as safetensors", args}, fields, common)) return 0;
  TerminalEvents events;
  if (common.print_config)
    std::printf("%s", print_config(fields).c_str());
  else
    print_report(common.dry_run ? plan_model_convert(engine(), options, events, interrupt_token())
                                : model_convert(engine(), options, events, interrupt_token()),
                 common.dry_run, common.json);
  return 0;
}

}  // namespace negativa::cli
