#pragma once
// The UNet or VAE of diffusers in a folder of its own, or in a model's, given in place of a model's own part.
#include <span>

#include "io/weight_files.h"

namespace negativa {

struct PartKind {
  const char *part, *noun;               // "vae", "VAE"
  std::span<const char* const> classes;  // of config.json; the first where it says none
  const char* expected;                  // those classes as a message has them: "an AutoencoderKL or AutoencoderTiny"
};

struct PartFolder {
  std::string config_json, config_name;  // the name is the config's path
  Weights weights;
  std::vector<std::filesystem::path> files;  // sorted
};

// Throws ErrorKind::input for a folder without such a part, and of another class; what find_weight_files and read_part throw.
PartFolder open_part_folder(const std::filesystem::path& path, const PartKind& kind);

}  // namespace negativa
