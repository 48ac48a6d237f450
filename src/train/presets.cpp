#include "train/presets.h"

#include <algorithm>
#include <fstream>

#include "base/error.h"
#include "base/text.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

TrainingPreset preset_of(const fs::path& file) {
  TrainingPreset preset{file.stem().string(), file.stem().string(), "", file};
  std::string line;
  std::ifstream text(file);
  std::getline(text, line);
  const size_t colon = line.find(": ");
  if (line.starts_with("# ") && colon != std::string::npos) {
    preset.title = line.substr(2, colon - 2);
    preset.help = line.substr(colon + 2);
  }
  return preset;
}

}  // namespace

std::vector<TrainingPreset> training_presets(const std::optional<fs::path>& bundled_models) {
  std::vector<TrainingPreset> presets;
  if (!bundled_models) return presets;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(bundled_models->parent_path() / "presets", none))
    if (entry.path().extension() == ".toml") presets.push_back(preset_of(entry.path()));
  std::sort(presets.begin(), presets.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return presets;
}

TrainingPreset training_preset(const std::string& name, const std::optional<fs::path>& bundled_models) {
  std::vector<std::string> names;
  for (auto& preset : training_presets(bundled_models)) {
    if (preset.name == name) return preset;
    names.push_back(preset.name);
  }
  fail(ErrorKind::input, "[--preset] got \"{}\", expected {}", name,
       names.empty() ? "none: the folder presets did not come along" : "one of " + joined(names, ", "));
}

}  // namespace negativa
