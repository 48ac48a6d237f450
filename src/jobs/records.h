#pragma once
// What a picture carries: its recipe as JSON and the same settings in the webui's syntax; and the way back from a PNG to
// settings.
#include <array>

#include "base/recipe.h"
#include "image/image.h"
#include "jobs/engine.h"

namespace negativa {

// Names and hashes of the files a run reads; hashes of big files come from the cache.
struct RunInputs {
  std::vector<RecipeInput> models;                     // base, then refiner, VAE, embeddings where there are any
  std::map<std::filesystem::path, RecipeInput> loras;  // by path as given
};
RunInputs run_inputs(Engine& engine, const ModelOptions& options, const std::vector<PictureOptions>& pictures,
                     const CancelToken* cancel = nullptr);

// A folder's hash is that of the list of its files' names and hashes.
RecipeInput model_input(const std::string& role, const ModelFiles& files, const CancelToken* cancel = nullptr);

RecipeInput vae_input(const std::filesystem::path& path, const CancelToken* cancel = nullptr);
RecipeInput lora_input(const std::filesystem::path& path, const CancelToken* cancel = nullptr);

// What a recipe's settings hold of ModelOptions: names instead of paths; device and number format stand in fields of their own.
inline constexpr std::array<const char*, 6> recipe_model_settings = {"allow_unmatched", "rng",     "weights_dtype", "embedding",
                                                                     "prediction_type", "zero_snr"};

// options: resolved, seed set. Throws ErrorKind::input for two different files of one name.
Recipe picture_recipe(const Engine& engine, const ModelOptions& model, const PictureOptions& options, const RunInputs& inputs);

// "parameters" (AUTOMATIC1111 webui's infotext, read by Civitai) and "negativa" (the recipe).
TextChunks picture_text(const PictureOptions& options, const Recipe& recipe);

// Sets `fields` of `options` to what the PNG at options.output.from carries, below what was typed: a flag changes what it names.
// A file the recipe names is looked up among those that were typed, then beside them, then among the models. A LoRA or embedding
// typed without weight or name under a name of the recipe only says where that file lies; typed otherwise, the list replaces the
// recipe's. Throws ErrorKind::input when the PNG has no recipe, when a file is not found and when one of that name has another
// hash.
void set_from_picture(Fields& fields, const GenerateOptions& options, const CancelToken* cancel = nullptr);

bool is_png_name(const std::filesystem::path& file);  // ends in ".png", whatever its case

// Throws ErrorKind::input for a name that says another format than PNG.
void check_png_name(const std::filesystem::path& file);

// The last name of a path in Unicode NFC, as recipes know it: "wrong" for "loras/wrong/".
std::string last_name(const std::filesystem::path& path);

}  // namespace negativa
