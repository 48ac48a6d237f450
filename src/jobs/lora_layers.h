#pragma once
// Which layers a LoRA file is about, and the LoRAs a verb is given.
#include <memory>

#include "base/config.h"
#include "base/places.h"
#include "base/recipe.h"
#include "image/events.h"
#include "lora/merge.h"

namespace negativa {

struct LoraLayers {
  std::string model;  // whose they are
  LoraTargets targets;
};

// Of the model of that name or path. Empty: of the bundled model or of full-size SDXL, whose layers are known without its
// weights: whichever more of the files' keys fit, the bundled one where that is even.
LoraLayers lora_layers(const std::string& model, const std::vector<Path>& files, const Places& places);

struct LoraReading {
  const Caller& caller;
  Hashing hashing;
  bool allow_unmatched = false;
};

struct GivenLoras {
  std::vector<WeightedLora> loras;
  std::vector<RecipeInput> inputs;  // their names and hashes, in the same order
};

// From texts FILE[:WEIGHT]; a file given twice is read once. Says what of them is skipped, off or without effect
// (lora/notices.h). Throws as parse_weighted_lora and read_lora do.
std::vector<Path> lora_paths(const std::vector<std::string>& specs, const std::string& where);
GivenLoras read_loras(const std::vector<std::string>& specs, const std::string& where, const LoraTargets& targets,
                      const LoraReading& reading);

// Canonical JSON [{"name", "sha256", "weight"}]: where a file says what it was made of.
std::string loras_json(const GivenLoras& given);

// Throws ErrorKind::input when `out` is one of the files that are read.
void check_not_an_input(const Path& out, const std::vector<Path>& inputs);

// SDXL's configurations without weights, among the bundled models; absent: they did not come along.
std::optional<Path> sdxl_layers_folder(const Places& places);

}  // namespace negativa
