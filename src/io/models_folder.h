#pragma once
// Where models are looked for by name.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/places.h"

namespace negativa {

// The folder of the models that come with the program: ../share/negativa/models beside the executable's folder, or the folder
// "models" of the first folder above it that has one (a build inside the repository). Absent: an executable copied elsewhere.
// For Places::bundled.
std::optional<std::filesystem::path> bundled_models_folder();

// Those of the user and those that are bundled, as far as they exist, the user's first.
std::vector<std::filesystem::path> models_folders(const Places& places);

// Names compare in Unicode NFC (base/file_names.h). A path that exists is taken as it is. A name without a slash is looked up in
// models_folders(), as folder or as NAME.safetensors. Throws ErrorKind::input listing what was searched and which names there
// are.
std::filesystem::path find_model(const std::string& name_or_path, const Places& places);

// The same for a VAE, and for a UNet.
std::filesystem::path find_vae(const std::string& name_or_path, const Places& places);
std::filesystem::path find_unet(const std::string& name_or_path, const Places& places);

// The bundled emoji-xl. Throws ErrorKind::input when it did not come along.
std::filesystem::path default_model(const Places& places);

// What -m means: the bundled model where it is empty.
std::filesystem::path model_or_default(const std::string& name_or_path, const Places& places);

}  // namespace negativa
