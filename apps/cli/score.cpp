#include "jobs/score.h"

#include <cstdio>

#include "environment.h"
#include "host.h"
#include "options.h"
#include "score_text.h"
#include "verbs.h"

namespace negativa::cli {

int run_score(const Arguments& args) {
  ScoreOptions options;
  CommonOptions common;
  Fields fields = fields_of(options);
  if (!parse_command_line({"score", "what can be measured of pictures, and whether those of another folder are better", args},
                          fields, common))
    return 0;
  if (common.print_config) {
    std::printf("%s", print_config(fields).c_str());
    return 0;
  }
  use_isa(options.isa);
  TerminalEvents events;
  if (common.dry_run) {
    std::printf("%s", text_of(forecast_score(engine(), options, events, interrupt_token())).c_str());
    return 0;
  }
  const ScoreReport report = score(engine(), options, events, interrupt_token());
  std::printf("%s", (common.json ? json_of(report) + "\n" : text_of(report)).c_str());
  return 0;
}

}  // namespace negativa::cli
