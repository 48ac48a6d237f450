#pragma once
// What a recipe says of the files a result was made with: names and hashes.
#include "base/recipe.h"
#include "io/model_files.h"

namespace negativa {

// A folder's hash is that of the list of its files' names and hashes. Throws as cached_sha256_file does.
RecipeInput model_input(const std::string& role, const ModelFiles& files, const Hashing& hashing);
RecipeInput vae_input(const VaeFiles& vae, const Hashing& hashing);
RecipeInput unet_input(const UNetFiles& unet, const Hashing& hashing);
// Of an embedding's file, or of diffusers' pair of them.
RecipeInput embedding_input(const std::filesystem::path& path, const Hashing& hashing);
// Of a LoRA file, or of a folder with several.
RecipeInput lora_input(const std::filesystem::path& path, const Hashing& hashing);

}  // namespace negativa
