#include "jobs/lora_bake.h"

#include "base/progress.h"
#include "io/models_folder.h"
#include "jobs/lora_layers.h"
#include "model/models.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

struct Baking {
  ModelFiles model;
  BakeRequest request;
  LoraBakeReport report;
};

void check_out(const Path& out) {
  check(!out.empty(), ErrorKind::input, "[--out] is needed: the folder to write");
  check(!fs::is_directory(out) || fs::is_empty(out), ErrorKind::input,
        "[--out] {} holds files already, expected a new folder; choose another name or empty it", out.string());
  check_can_write_folder(out);
}

Baking prepare(const LoraBakeOptions& options, const CancelToken* cancel) {
  check(!options.lora.empty(), ErrorKind::input, "[--lora] is needed: FILE[:WEIGHT] of what is to be baked in");
  check_out(options.out);
  use_one_thread();
  Baking baking;
  baking.model = open_model(options.model.empty() ? default_model() : find_model(options.model));
  const auto given = read_loras(options.lora, "--lora", lora_targets(baking.model), options.allow_unmatched, cancel);
  baking.request.loras = given.loras;
  if (options.weights_dtype != "auto") baking.request.storage = dtype_from_name(options.weights_dtype);
  baking.request.metadata = {{"negativa.baked", loras_json(given)}};
  auto& report = baking.report;
  report.out = options.out;
  report.model = baking.model.name;
  for (const auto& input : given.inputs) report.names.push_back(input.name);
  report.baked = plan_bake(baking.model, baking.request);
  return baking;
}

}  // namespace

LoraBakeReport plan_lora_bake(const LoraBakeOptions& options) { return prepare(options, nullptr).report; }

LoraBakeReport lora_bake(const LoraBakeOptions& options, const CancelToken& cancel) {
  auto baking = prepare(options, &cancel);
  Progress progress("bake", baking.report.baked.tensors);
  write_folder_atomically(options.out, [&](const fs::path& folder) {
    baking.report.baked = bake(baking.model, baking.request, folder, cancel, [&] { progress.tick(); });
  });
  return baking.report;
}

}  // namespace negativa
