#pragma once
// The value of --lora: FILE[:WEIGHT[:BRANCH]].
#include <filesystem>
#include <string>

namespace negativa {

// Which half of classifier-free guidance a LoRA acts on.
enum class LoraBranch { both, negative, positive };

std::string branch_name(LoraBranch branch);

struct LoraSpec {
  std::filesystem::path path;
  double weight = 1;
  LoraBranch branch = LoraBranch::both;
};

// Split from the right; an existing file (or folder) of the whole name wins, so names with ':' work. Whether the file exists is
// left to the reader. Throws ErrorKind::input for a weight that is no finite number, an unknown branch, a branch without weight,
// no name; `where` begins its message.
LoraSpec parse_lora_spec(const std::string& text, const std::string& where = "--lora");

// The same without a branch, for what becomes one file. Throws ErrorKind::input for a branch.
LoraSpec parse_weighted_lora(const std::string& text, const std::string& where);

}  // namespace negativa
