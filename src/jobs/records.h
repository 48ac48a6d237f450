#pragma once
// What a picture carries: its recipe as JSON and the same settings in the webui's syntax; and the way back from a PNG to settings.
#include "base/image.h"
#include "base/recipe.h"
#include "jobs/engine.h"

namespace negativa {

// Names and hashes of the files a run reads; hashes of big files come from the cache.
struct RunInputs {
  std::vector<RecipeInput> models;                            // base, then refiner, VAE, embeddings where there are any
  std::map<std::filesystem::path, RecipeInput> loras;         // by path as given
};
RunInputs run_inputs(Engine& engine, const ModelOptions& options, const std::vector<PictureOptions>& pictures);

// A folder's hash is that of the list of its files' names and hashes.
RecipeInput model_input(const std::string& role, const ModelFiles& files);

RecipeInput vae_input(const std::filesystem::path& path);

// options: resolved, seed set.
Recipe picture_recipe(const Engine& engine, const ModelOptions& model, const PictureOptions& options, const RunInputs& inputs);

// "parameters" (AUTOMATIC1111 webui's infotext, read by Civitai) and "negativa" (the recipe).
TextChunks picture_text(const PictureOptions& options, const Recipe& recipe);

// The settings a PNG made here carries, as a JSON object of option names that set_from_json takes. Files it names are looked up among those
// `given` names, then beside them, then among the models. Throws ErrorKind::input when the PNG has no recipe, when a file is not found, and
// when one of that name has another hash.
Json read_settings(const std::filesystem::path& png, const GenerateOptions& given);

}  // namespace negativa
