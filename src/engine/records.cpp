#include "engine/records.h"

#include "base/file_names.h"
#include "base/json.h"
#include "base/names.h"
#include "base/text.h"
#include "core/isa.h"
#include "io/models_folder.h"
#include "schedule/names.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

// What a LoRA option says besides the file: "wrong.safetensors:0.7:negative" as the record stores it, name instead of path.
std::string lora_record(const std::string& spec_text) {
  const LoraSpec spec = parse_lora_spec(spec_text);
  return fmt::format("{}:{}:{}", last_name(spec.path), spec.weight.text_of(), branch_name(spec.branch));
}

// Without a name where the file's own tokens act too: NAME would be the only one.
std::string embedding_record(const std::string& text, std::span<const Embedding> words) {
  const std::string file = last_name(parse_embedding_spec(text).path);
  return words.size() == 1 && words[0].also.empty() ? fmt::format("{}={}", file, nfc(words[0].name)) : file;
}

std::string short_hash(const std::string& sha256) { return sha256.substr(0, 10); }

const RecipeInput* find_role(const Recipe& recipe, std::string_view role) {
  for (const auto& input : recipe.inputs)
    if (input.role == role) return &input;
  return nullptr;
}

// A recipe knows files by name.
void add_input(Recipe& recipe, const RecipeInput& input) {
  for (const auto& other : recipe.inputs) {
    if (other.role != input.role || other.name != input.name) continue;
    check(other.sha256 == input.sha256, ErrorKind::input,
          "[--{}] got two different files of the name {}, by which the picture's recipe knows them; rename one", input.role,
          input.name);
    return;
  }
  recipe.inputs.push_back(input);
}

}  // namespace

RunInputs run_inputs(Session& session, const std::vector<PictureOptions>& pictures) {
  RunInputs inputs;
  const Models& models = session.models();
  const Hashing hashing = session.engine().hashing(&session.caller().cancel);
  inputs.models.push_back(model_input("model", models.files(), hashing));
  if (models.refiner_files()) inputs.models.push_back(model_input("refiner", *models.refiner_files(), hashing));
  if (models.vae_files()) inputs.models.push_back(vae_input(*models.vae_files(), hashing));
  if (models.files().unet) inputs.models.push_back(unet_input(*models.files().unet, hashing));
  for (const auto& spec : session.options().embedding)
    inputs.models.push_back(embedding_input(parse_embedding_spec(spec).path, hashing));
  for (const auto& picture : pictures)
    for (const auto& text : picture.lora) {
      const auto path = parse_lora_spec(text).path;
      if (inputs.loras.contains(path)) continue;
      session.lora(path);
      inputs.loras[path] = lora_input(path, hashing);
    }
  return inputs;
}

Json picture_settings(const PictureOptions& options) {
  PictureOptions copy = options;
  Json settings = to_json(fields_of(copy));
  if (!options.negative_scale) settings.erase("negative_interval");  // younger than some recipes: written where it says something
  if (options.pooled_row == "diffusers") settings.erase("pooled_row");  // likewise
  return settings;
}

Recipe picture_recipe(const Session& session, const PictureOptions& options, const RunInputs& inputs) {
  const ModelOptions& model = session.options();
  PictureOptions stored = options;
  ModelOptions stored_model;
  stored_model.allow_unmatched = model.allow_unmatched;
  stored_model.rng = model.rng;
  stored_model.weights_dtype = session.weights_dtype();
  for (auto& text : stored.lora) text = lora_record(text);
  for (size_t i = 0; i < model.embedding.size(); ++i)
    stored_model.embedding.push_back(embedding_record(model.embedding[i], session.words_of_embedding(i)));
  Json settings = picture_settings(stored);
  stored_model.prediction_type = model.prediction_type;
  stored_model.zero_snr = model.zero_snr;
  Json of_model = to_json(fields_of(stored_model));
  if (model.prediction_type == "auto")
    of_model.erase("prediction_type");  // younger than some recipes: written where it says something
  if (!model.zero_snr) of_model.erase("zero_snr");
  for (const char* key : recipe_model_settings)
    if (of_model.contains(key)) settings[key] = of_model[key];

  Recipe recipe;
  recipe.verb = "generate";
  recipe.settings_json = canonical_json(settings);
  recipe.seed = *options.seed;
  recipe.device = session.device_name();
  recipe.dtype = dtype_name(session.models().request().compute);
  recipe.threads = session.threads_a_picture();
  recipe.isa = isa_name(active_isa());
  for (const auto& input : inputs.models) add_input(recipe, input);
  for (const auto& text : options.lora) add_input(recipe, inputs.loras.at(parse_lora_spec(text).path));
  return recipe;
}

namespace {

// A value with a comma, colon or line end stands in quotes, JSON-escaped.
std::string webui_value(const std::string& value) {
  return value.find_first_of(",:\n\"") == std::string::npos ? value
                                                            : Json(value).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string webui_parameters(const PictureOptions& options, const Recipe& recipe) {
  std::string text = options.prompt.value_or("");
  if (options.negative_prompt && !options.negative_prompt->empty()) text += "\nNegative prompt: " + *options.negative_prompt;
  const RecipeInput* model = find_role(recipe, "model");
  Json hashes = {{"model", short_hash(model->sha256)}};
  std::vector<std::string> lora_hashes;
  for (const auto& input : recipe.inputs) {
    const std::string stem = fs::path(input.name).stem().string();
    if (input.role == "lora") {
      hashes["lora:" + stem] = short_hash(input.sha256);
      lora_hashes.push_back(stem + ": " + short_hash(input.sha256));
    }
    if (input.role == "embedding") hashes["embed:" + stem] = short_hash(input.sha256);
    if (input.role == "vae") hashes["vae"] = short_hash(input.sha256);
  }
  text +=
      fmt::format("\nSteps: {}, Sampler: {}, Schedule type: {}, CFG scale: {}, Seed: {}, Size: {}x{}, Model hash: {}, Model: {}",
                  options.steps, webui_sampler_name(*options.sampler), webui_grid_name(*options.schedule), options.cfg_scale,
                  *options.seed, *options.width, *options.height, short_hash(model->sha256), webui_value(model->name));
  if (const RecipeInput* refiner = find_role(recipe, "refiner"))
    text += fmt::format(", Refiner: {}, Refiner switch at: {}",
                        webui_value(fmt::format("{} [{}]", refiner->name, short_hash(refiner->sha256))), options.refiner_start);
  if (!lora_hashes.empty()) {
    std::string list;
    for (const auto& one : lora_hashes) list += (list.empty() ? "" : ", ") + one;
    text += ", Lora hashes: " + Json(list).dump();
  }
  return text + fmt::format(", Version: negativa {}, Hashes: {}", recipe.program_version, hashes.dump());
}

}  // namespace

TextChunks picture_text(const PictureOptions& options, const Recipe& recipe) {
  return {{names::png_parameters, webui_parameters(options, recipe)}, {names::png_recipe, recipe.to_text()}};
}

}  // namespace negativa
