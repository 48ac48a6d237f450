#include "report_json.h"

#include "base/json.h"
#include "base/recipe.h"

namespace negativa::cli {

namespace {

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

}  // namespace

Json json_of(const GenerateReport& report) {
  Json files = Json::array();
  for (size_t i = 0; i < report.files.size(); ++i)
    files.push_back({{"file", report.files[i].string()}, {"seed", report.seeds[i]}});
  return {{"pictures", files},
          {"made", report.made},
          {"kept", report.kept},
          {"seconds", report.seconds},
          {"step_seconds", or_null(report.step_seconds)},
          {"peak_memory_bytes", report.peak_memory_bytes}};
}

Json json_of(const CompareReport& report) {
  Json files = Json::array();
  for (const auto& file : report.files) files.push_back(file.string());
  return {{"file", files.front()}, {"files", files}, {"arms", report.arms}, {"prompts", report.prompts}, {"seeds", report.seeds}};
}

Json json_of(const TrainReport& report) {
  return {{"file", report.file.string()},
          {"sha256", report.sha256},
          {"run_folder", report.run_folder.string()},
          {"was_finished", report.was_finished},
          {"steps", report.steps},
          {"resumed_from", report.resumed_from},
          {"last_loss", report.last_loss},
          {"best_step", or_null(report.best_step)},
          {"seconds", report.seconds},
          {"step_seconds", report.step_seconds},
          {"peak_memory_bytes", report.peak_memory_bytes}};
}

Json json_of(const LoraConvertReport& report, bool dry_run) {
  return {{"file", report.out.string()},
          {"from", report.from},
          {"to", report.to},
          {"model", report.model},
          {"layers", report.layers},
          {"left_out", report.left_out},
          {"largest_change", dry_run ? Json() : Json(report.largest_change)}};
}

Json json_of(const LoraBakeReport& report) {
  return {{"folder", report.out.string()},   {"model", report.model},       {"loras", report.names},
          {"changed", report.baked.changed}, {"bytes", report.baked.bytes}, {"peak_memory_bytes", peak_memory_bytes()}};
}

Json json_of(const ModelConvertReport& report) {
  return {{"out", report.out.string()}, {"model", report.model},        {"tensors", report.tensors},
          {"bytes", report.bytes},      {"left_out", report.left_out},  {"peak_memory_bytes", peak_memory_bytes()},
          {"kept", report.kept},        {"saturated", report.saturated}};
}

}  // namespace negativa::cli
