#pragma once
// What a picture carries: its recipe as JSON and the same settings in the webui's syntax.
#include <array>

#include "base/json_fwd.h"
#include "base/recipe.h"
#include "engine/session.h"
#include "image/image.h"
#include "model/recipe_inputs.h"

namespace negativa {

// Names and hashes of the files a run reads; hashes of big files come from the cache.
struct RunInputs {
  std::vector<RecipeInput> models;                     // base, then refiner, VAE, embeddings where there are any
  std::map<std::filesystem::path, RecipeInput> loras;  // by path as given
};
RunInputs run_inputs(Session& session, const std::vector<PictureOptions>& pictures);

// What a recipe's settings hold of ModelOptions: names instead of paths; device and number format stand in fields of their own.
inline constexpr std::array<const char*, 6> recipe_model_settings = {"allow_unmatched", "rng",     "weights_dtype", "embedding",
                                                                     "prediction_type", "zero_snr"};

// All of a picture's settings that are set, as records of it hold them.
Json picture_settings(const PictureOptions& options);

// options: resolved, seed set. Throws ErrorKind::input for two different files of one name.
Recipe picture_recipe(const Session& session, const PictureOptions& options, const RunInputs& inputs);

// "parameters" (AUTOMATIC1111 webui's infotext, read by Civitai) and "negativa" (the recipe).
TextChunks picture_text(const PictureOptions& options, const Recipe& recipe);

}  // namespace negativa
