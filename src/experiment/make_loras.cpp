#include "base/json.h"
#include "base/text.h"
#include "core/own_thread.h"
#include "engine/session.h"
#include "experiment/make_cells.h"
#include "lora/lora_writer.h"
#include "lora/merge.h"
#include "lora/random_lora.h"
#include "model/lora_targets.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

LoraTargets targets_of(const MakerRun& run) {
  const auto models = run.engine.open(model_request(run.plan.file.defaults.model, run.engine.places()));
  return lora_targets(models->files());
}

fs::path file_of(const MakerRun& run, const MergedPart& part) {
  return part.cell == no_cell ? part.file : run.store.path(run.plan.run.cells[part.cell]);
}

void write(const MakerRun& run, size_t cell, CellRecord record, LoraFile lora, const UNetLayout& layout, Metadata metadata) {
  const std::string name = run.store.path(run.plan.run.cells[cell]).stem().string();
  metadata.insert({{"ss_output_name", name},
                   {"modelspec.sai_model_spec", "1.0.1"},
                   {"modelspec.architecture", "stable-diffusion-xl-v1-base/lora"},
                   {"modelspec.implementation", "https://github.com/Stability-AI/generative-models"},
                   {"modelspec.title", name}});
  adopt_written(run, cell, std::move(record), [&](const fs::path& file) {
    write_lora(file, lora, {LoraDialect::diffusers, layout, metadata});
  });
}

}  // namespace

void make_random_lora(const MakerRun& run, size_t cell) {
  Lap lap;
  CellRecord record = begun_record(run, cell);
  const fs::path source = file_of(run, run.plan.merges.at(cell).front());
  const LoraTargets targets = targets_of(run);
  const auto seed = get<uint64_t>(parse_json(record.recipe_json, "random LoRA"), "seed", "random LoRA");
  LoraFile lora;
  lora.modules = on_own_thread(1, [&] { return random_lora(read_lora(source, targets), seed); });
  record.timings_s["total"] = lap.seconds();
  write(run, cell, std::move(record), std::move(lora), targets.layout,
        {{"negativa.random_of", source.filename().string()}, {"negativa.seed", std::to_string(seed)}});
}

void make_merged_lora(const MakerRun& run, size_t cell) {
  Lap lap;
  CellRecord record = begun_record(run, cell);
  const LoraTargets targets = targets_of(run);
  std::vector<WeightedLora> loras;
  std::vector<std::string> files;
  for (const MergedPart& part : run.plan.merges.at(cell)) {
    const fs::path file = file_of(run, part);
    loras.push_back({std::make_shared<const LoraFile>(read_lora(file, targets)), part.weight});
    files.push_back(file.filename().string());
  }
  LoraFile lora;
  lora.modules = on_own_thread(1, [&] { return merge_loras(loras, MergeMethod::concat, {}, run.caller.cancel).modules; });
  record.timings_s["total"] = lap.seconds();
  write(run, cell, std::move(record), std::move(lora), targets.layout,
        {{"modelspec.merged_from", joined(files, ", ")}, {"negativa.merge_method", "concat"}});
}

}  // namespace negativa
