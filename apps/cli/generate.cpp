#include "jobs/generate.h"

#include <cstdio>

#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "forecast_text.h"
#include "image/terminal.h"
#include "jobs/engine.h"
#include "jobs/records.h"
#include "jobs/without_effect.h"
#include "options.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

// What the model's own files say, below every other source.
void take_defaults_from_model(Fields& fields, GenerateOptions& options) {
  const Engine engine(options.model, 1);
  const PictureOptions resolved = engine.resolved(options.picture);
  const Json defaults = {
      {"width", *resolved.width}, {"height", *resolved.height}, {"sampler", *resolved.sampler}, {"schedule", *resolved.schedule}};
  set_from_json(fields, defaults, {Source::model, engine.models().files().name});
}

void print_report(const GenerateReport& report, bool json) {
  if (json) {
    Json files = Json::array();
    for (size_t i = 0; i < report.files.size(); ++i)
      files.push_back({{"file", report.files[i].string()}, {"seed", report.seeds[i]}});
    std::printf("%s\n", Json({{"pictures", files},
                              {"made", report.made},
                              {"kept", report.kept},
                              {"seconds", report.seconds},
                              {"step_seconds", report.step_seconds ? Json(*report.step_seconds) : Json()},
                              {"peak_memory_bytes", report.peak_memory_bytes}})
                            .dump(2)
                            .c_str());
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
  if (!options.output.from.empty()) set_from_picture(fields, options, &interrupt_token());
  remember_choices(fields, options.picture);
  options.typed = typed_names(fields);
  if (common.print_config) {
    take_defaults_from_model(fields, options);
    std::printf("%s", print_config(fields).c_str());
    return 0;
  }
  if (common.dry_run) {
    const auto forecast = forecast_generate(options);
    std::printf("%s", (common.json ? json_of(forecast) : text_of(forecast)).c_str());
    return 0;
  }
  if (options.model.model.empty()) notice("no -m: the bundled emoji-xl, a miniature of SDXL that draws 64x64 pictures");
  const auto on_file = [&](const Path& file, const Image8& image) {
    if (common.json) return;  // one document at the end
    if (options.output.show) std::printf("%s", half_blocks(image, 80).c_str());
    std::printf("%s\n", file.c_str());
    std::fflush(stdout);
  };
  print_report(generate(options, interrupt_token(), on_file), common.json);
  return 0;
}

}  // namespace negativa::cli
