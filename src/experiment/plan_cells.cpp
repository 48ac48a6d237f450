#include "experiment/plan_cells.h"

#include "base/file_names.h"
#include "base/json.h"
#include "base/names.h"
#include "core/isa.h"
#include "engine/records.h"
#include "experiment/references.h"
#include "model/recipe_inputs.h"

namespace negativa {

namespace {

std::string text_of(const ModelOptions& options) {
  ModelOptions copy = options;
  copy.embedding.clear();
  return canonical_json(to_json(fields_of(copy)));
}

// Options of the model that decide bytes, with every "auto" answered. Threads and instructions only where they were asked for:
// machines that share a run differ in them.
Json model_recipe(const ModelOptions& options, const Models& models) {
  ModelOptions stored;
  stored.allow_unmatched = options.allow_unmatched;
  stored.rng = options.rng;
  stored.prediction_type = options.prediction_type;
  stored.zero_snr = options.zero_snr;
  stored.weights_dtype = models.weights_dtype();
  stored.dtype = dtype_name(models.request().compute);
  stored.device = models.request().device.is_cuda() ? "cuda" : "cpu";
  stored.threads = options.threads;
  stored.isa = isa_of_record(options.isa);
  Json json = to_json(fields_of(stored));
  for (const char* key : {"model", "refiner", "vae", "unet", "embedding"}) json.erase(key);
  if (stored.isa == "auto") json.erase("isa");  // younger than some runs
  return json;
}

PlannedModel opened(PlanInProgress& progress, const ModelOptions& options) {
  PlannedModel planned{progress.engine.open(model_request(options, progress.engine.places())), {}, ""};
  const Models& models = *planned.models;
  planned.inputs.push_back(model_input("model", models.files(), progress.hashing()));
  if (models.refiner_files()) planned.inputs.push_back(model_input("refiner", *models.refiner_files(), progress.hashing()));
  if (models.vae_files()) planned.inputs.push_back(vae_input(*models.vae_files(), progress.hashing()));
  if (models.files().unet) planned.inputs.push_back(unet_input(*models.files().unet, progress.hashing()));
  planned.recipe_json = model_recipe(options, models).dump();
  return planned;
}

// Of what has no effect on this picture nothing stays, so that it does not part one picture from another.
Json recipe_of(const PictureOptions& picture, bool is_refined) {
  Json json = picture_settings(picture);
  json.erase("lora");
  if (!is_refined)
    for (const char* key : {"refiner_start", "refiner_cfg_scale", "aesthetic_score", "negative_aesthetic_score"}) json.erase(key);
  return json;
}

void use(PicturePrint& print, std::vector<size_t>& cells, const UsedFile& used) {
  cells.push_back(used.cell);
  print.parts.inputs.push_back(used.address);
  if (used.cell == no_cell)
    print.outside.push_back(used.outside);
  else
    print.inputs.push_back(used.cell);
}

}  // namespace

const PlannedModel& PlanInProgress::open(const ModelOptions& options) {
  const std::string key = text_of(options);
  const auto found = models.find(key);
  return found != models.end() ? found->second : models[key] = opened(*this, options);
}

size_t PlanInProgress::add(PlannedCell cell, const std::string& extension, const AddressParts& parts,
                           std::vector<RecipeInput> outside) {
  cell.stage = parts.stage;
  cell.address = cell_address(parts);
  const auto [same, is_new] =
      file_of_address.try_emplace(cell.address, cell.file + "-" + cell.address.substr(0, short_address) + extension);
  cell.file = same->second;
  plan.run.cells.push_back(std::move(cell));
  plan.recipe_json.push_back(parts.recipe_json);
  plan.outside.push_back(std::move(outside));
  return plan.run.cells.size() - 1;
}

PicturePrint picture_print(PlanInProgress& progress, const AskedCell& asked) {
  const PlannedModel& model = progress.open(asked.model);
  PicturePrint print;
  print.cell = {asked.model, resolved_picture(*model.models, asked.picture), {}, {}};
  const bool is_refined = model.models->refiner_facts() && asked.picture.refiner_start < 1;
  for (const auto& input : model.inputs) {
    if (input.role == "refiner" && !is_refined) continue;
    print.parts.inputs.push_back(input.sha256);
    print.outside.push_back(input);
  }
  Json recipe = recipe_of(print.cell.picture, is_refined);
  for (auto& text : print.cell.picture.lora) {
    const LoraSpec spec = parse_lora_spec(text);
    const UsedFile used = used_lora(progress, spec.path.string(), asked.training);
    use(print, print.cell.lora_cells, used);
    const std::string how = fmt::format("{}:{}", spec.weight.text_of(), branch_name(spec.branch));
    recipe["lora"].push_back(how);
    if (used.cell == no_cell) text = used.path.string() + ":" + how;
  }
  for (auto& text : print.cell.model.embedding) {
    const UsedFile used = used_embedding(progress, text, asked.training);
    use(print, print.cell.embedding_cells, used);
    // A trained one's address has its word.
    recipe["embedding"].push_back(used.cell == no_cell ? used.word : text);
    if (used.cell == no_cell && find_embedding(progress.file, text, "embedding").table)
      text = used.path.string() + "=" + used.word;
  }
  recipe["model"] = parse_json(model.recipe_json, "model");
  print.parts.stage = asked.stage;
  print.parts.recipe_json = canonical_json(recipe);
  return print;
}

std::string isa_of_record(const std::string& asked) {
  return asked == "auto" && active_isa() == machine_isa() ? asked : isa_name(active_isa());
}

}  // namespace negativa
