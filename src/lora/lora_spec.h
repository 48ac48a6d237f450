#pragma once
// The value of --lora: FILE[:WEIGHT[:BRANCH]], WEIGHT a number or "unet=0.8,text=0.2".
#include <filesystem>
#include <string>

#include "base/json_fwd.h"

namespace negativa {

// Which half of classifier-free guidance a LoRA acts on.
enum class LoraBranch { both, negative, positive };

std::string branch_name(LoraBranch branch);

// How strongly a LoRA acts on the UNet and on both text encoders. One number is that of all parts.
struct PartWeights {
  double unet = 1, text = 1;

  PartWeights() = default;
  PartWeights(double weight) : unet(weight), text(weight) {}
  double of(const std::string& component) const { return component == "unet" ? unet : text; }
  bool is_zero() const { return unet == 0 && text == 0; }
  friend bool operator==(const PartWeights&, const PartWeights&) = default;
  PartWeights times(double factor) const;
  // "0.8", "unet=0.8,text=0.2"
  std::string text_of() const;
};

// 0.8, {"unet": 0.8, "text": 0.2}
Json json_of(const PartWeights& weight);

struct LoraSpec {
  std::filesystem::path path;
  PartWeights weight;
  LoraBranch branch = LoraBranch::both;
};

// Split from the right; an existing file (or folder) of the whole name wins, so names with ':' work. Whether the file exists is
// left to the reader. Of a weight that names its parts, one not named is 1. Throws ErrorKind::input for a weight that is no
// finite number, an unknown part or one named twice, an unknown branch, a branch without weight, no name; `where` begins its
// message.
LoraSpec parse_lora_spec(const std::string& text, const std::string& where = "--lora");

// The same without a branch, for what becomes one file. Throws ErrorKind::input for a branch.
LoraSpec parse_weighted_lora(const std::string& text, const std::string& where);

}  // namespace negativa
