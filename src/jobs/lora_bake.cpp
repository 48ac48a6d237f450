#include "jobs/lora_bake.h"

#include "base/files.h"
#include "io/models_folder.h"
#include "jobs/job.h"
#include "jobs/lora_layers.h"
#include "model/lora_targets.h"

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

Baking prepare(const Engine& engine, const LoraBakeOptions& options, const Caller& caller) {
  check(!options.lora.empty(), ErrorKind::input, "[--lora] is needed: FILE[:WEIGHT] of what is to be baked in");
  check_out(options.out);
  Baking baking;
  baking.model = open_model(model_or_default(options.model, engine.places()), engine.places());
  const auto given = read_loras(options.lora, "--lora", lora_targets(baking.model),
                                {caller, engine.hashing(&caller.cancel), options.allow_unmatched});
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

LoraBakeReport bake_now(const Engine& engine, const LoraBakeOptions& options, const Caller& caller) {
  auto baking = prepare(engine, options, caller);
  Stage progress(caller.events, "bake", baking.report.baked.tensors);
  write_folder_atomically(options.out, [&](const fs::path& folder) {
    baking.report.baked = bake(baking.model, baking.request, folder, caller.cancel, [&] { progress.tick(); });
  });
  return baking.report;
}

}  // namespace

LoraBakeReport plan_lora_bake(Engine& engine, const LoraBakeOptions& options, EventSink& events, const CancelToken& cancel) {
  return as_job(events, cancel, [&](const Caller& caller) { return prepare(engine, options, caller).report; });
}

LoraBakeReport lora_bake(Engine& engine, const LoraBakeOptions& options, EventSink& events, const CancelToken& cancel) {
  return as_job(events, cancel, [&](const Caller& caller) { return bake_now(engine, options, caller); });
}

}  // namespace negativa
