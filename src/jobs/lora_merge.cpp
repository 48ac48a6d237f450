#include "jobs/lora_merge.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/file_names.h"
#include "base/text.h"
#include "jobs/job.h"
#include "jobs/lora_layers.h"
#include "lora/lora_writer.h"

namespace negativa {

namespace {

struct Merging {
  LoraLayers layers;
  GivenLoras given;
  LoraFile lora;
  LoraMergeReport report;
};

void check_options(const LoraMergeOptions& options) {
  check(!options.loras.empty(), ErrorKind::input,
        "[lora merge] LoRA files are needed, as in negativa lora merge A.safetensors:1 B.safetensors:0.7 -o OUT.safetensors");
  check(!options.out.empty(), ErrorKind::input, "[--out] is needed: the file to write");
  if (options.rank && options.method != "svd")
    fail(ErrorKind::input, "[--rank] got {}, which concat has no use for: ranks add up; use --method svd", *options.rank);
}

// Sums over all layers: what each number would be for one matrix that holds them all.
void add_totals(LoraMergeReport& report) {
  double cosines = 0, energy = 0, apart = 0, error = 0, best_error = 0;
  int pairs = 0;
  for (const auto& layer : report.layers) {
    const double square = layer.norm * layer.norm;
    energy += square;
    apart += layer.parts_energy;
    error += layer.error * layer.error * square;
    best_error += layer.best_error * layer.best_error * square;
    for (const auto& cosine : layer.cosines) {
      cosines += cosine.value;
      ++pairs;
      report.least_cosine = std::min(report.least_cosine.value_or(1), cosine.value);
      report.greatest_cosine = std::max(report.greatest_cosine.value_or(-1), cosine.value);
    }
  }
  if (pairs > 0) report.mean_cosine = cosines / pairs;
  if (apart > 0) report.kept_energy = energy / apart;
  if (energy > 0) report.error = std::sqrt(error / energy), report.best_error = std::sqrt(best_error / energy);
}

Merging merge(const Engine& engine, const LoraMergeOptions& options, const Caller& caller) {
  check_options(options);
  const auto paths = lora_paths(options.loras, "lora merge");
  check_not_an_input(options.out, paths);
  if (!options.format.empty()) check_lora_name(options.out, dialect_from_name(options.format));
  Merging merging;
  merging.layers = lora_layers(options.model, paths, engine.places());
  merging.given = read_loras(options.loras, "lora merge", merging.layers.targets,
                             {caller, engine.hashing(&caller.cancel), options.allow_unmatched});
  auto& report = merging.report;
  report.out = options.out;
  report.model = merging.layers.model;
  report.format = options.format.empty() ? dialect_name(merging.given.loras[0].file->dialect) : options.format;
  check_lora_name(options.out, dialect_from_name(report.format));
  for (const auto& input : merging.given.inputs) report.names.push_back(input.name);
  auto merged = merge_loras(merging.given.loras, options.method == "svd" ? MergeMethod::svd : MergeMethod::concat, options.rank,
                            caller.cancel);
  merging.lora.modules = std::move(merged.modules);
  merging.lora.changes = std::move(merged.changes);
  report.layers = std::move(merged.layers);
  add_totals(report);
  return merging;
}

// Of one field, what the LoRAs say, each once.
std::string joined_field(const GivenLoras& given, const char* field) {
  std::vector<std::string> values;
  for (const auto& lora : given.loras) {
    const auto found = lora.file->metadata.find(field);
    if (found != lora.file->metadata.end() && !found->second.empty() &&
        std::find(values.begin(), values.end(), found->second) == values.end())
      values.push_back(found->second);
  }
  return joined(values, ", ");
}

Metadata metadata_of(const Merging& merging, const LoraMergeOptions& options) {
  const auto& given = merging.given;
  const std::string name = last_name(options.out.stem());
  const auto& first = given.loras[0].file->metadata;
  const auto resolution = first.find("modelspec.resolution");
  Metadata metadata = {{"ss_output_name", name},
                       {"modelspec.sai_model_spec", "1.0.1"},
                       {"modelspec.architecture", "stable-diffusion-xl-v1-base/lora"},
                       {"modelspec.implementation", "https://github.com/Stability-AI/generative-models"},
                       {"modelspec.title", name},
                       {"modelspec.resolution", resolution == first.end() ? "1024x1024" : resolution->second},
                       {"modelspec.merged_from", joined(merging.report.names, ", ")},
                       {"negativa.merged_from", loras_json(given)},
                       {"negativa.merge_method", options.method}};
  for (const char* field : {"modelspec.trigger_phrase", "modelspec.usage_hint"})
    if (const auto text = joined_field(given, field); !text.empty()) metadata[field] = text;
  return metadata;
}

LoraMergeReport merge_now(const Engine& engine, const LoraMergeOptions& options, const Caller& caller) {
  const auto merging = merge(engine, options, caller);
  write_lora(options.out, merging.lora,
             {dialect_from_name(merging.report.format), merging.layers.targets.layout, metadata_of(merging, options)});
  return merging.report;
}

}  // namespace

LoraMergeReport plan_lora_merge(Engine& engine, const LoraMergeOptions& options, EventSink& events, const CancelToken& cancel) {
  return as_job(events, cancel, [&](const Caller& caller) { return merge(engine, options, caller).report; });
}

LoraMergeReport lora_merge(Engine& engine, const LoraMergeOptions& options, EventSink& events, const CancelToken& cancel) {
  return as_job(events, cancel, [&](const Caller& caller) { return merge_now(engine, options, caller); });
}

}  // namespace negativa
