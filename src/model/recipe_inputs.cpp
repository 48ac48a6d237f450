#include "model/recipe_inputs.h"

#include "base/file_names.h"
#include "base/text.h"
#include "lora/lora_file.h"
#include "text/embedding_file.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

// A list's hash is that of a line a file: its hash, after its name below `folder` where one is given.
std::string hash_of_list(const std::vector<fs::path>& files, const Hashing& hashing, const fs::path& folder = {}) {
  std::string listing;
  for (const auto& file : files)
    listing +=
        (folder.empty() ? "" : fs::relative(file, folder).generic_string() + " ") + cached_sha256_file(file, hashing) + "\n";
  return sha256_hex(listing);
}

// Of a file its own hash, of several that of their list.
std::string hash_of(const std::vector<fs::path>& files, const Hashing& hashing, const fs::path& folder = {}) {
  return files.size() == 1 ? cached_sha256_file(files.front(), hashing) : hash_of_list(files, hashing, folder);
}

}  // namespace

RecipeInput model_input(const std::string& role, const ModelFiles& files, const Hashing& hashing) {
  if (files.layout == ModelFiles::single_file) return recipe_input(role, files.path, hashing);
  return {role, nfc(files.name), hash_of_list(files.files(), hashing, files.path)};
}

RecipeInput vae_input(const VaeFiles& vae, const Hashing& hashing) { return {"vae", nfc(vae.name), hash_of(vae.files, hashing)}; }

RecipeInput unet_input(const UNetFiles& unet, const Hashing& hashing) {
  return {"unet", nfc(unet.name), hash_of(unet.files, hashing)};
}

RecipeInput embedding_input(const fs::path& path, const Hashing& hashing) {
  return {"embedding", last_name(path), hash_of(embedding_paths(path), hashing)};
}

RecipeInput lora_input(const fs::path& path, const Hashing& hashing) {
  return {"lora", last_name(path), hash_of(lora_weights_paths(path), hashing, path)};
}

}  // namespace negativa
