#pragma once
// Settings of `train lora` for what people train most: TOML files that come with the program.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/places.h"

namespace negativa {

struct TrainingPreset {
  std::string name;         // of the file, without .toml: "subject"
  std::string title, help;  // its first line, "# A subject: one thing or person"
  std::filesystem::path file;
};

// Those in the folder "presets" beside the bundled models, by name. Empty where nothing is bundled.
std::vector<TrainingPreset> training_presets(const std::optional<std::filesystem::path>& bundled_models);

// Throws ErrorKind::input with the names that there are.
TrainingPreset training_preset(const std::string& name, const std::optional<std::filesystem::path>& bundled_models);

}  // namespace negativa
