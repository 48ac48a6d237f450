#pragma once
// What names in an experiment's tables stand for.
#include <optional>
#include <string>
#include <vector>

#include "experiment/experiment_file.h"
#include "lora/lora_spec.h"

namespace negativa {

// A value of `lora` in an arm, or of `merge`: "NAME[@STEPS][:WEIGHT[:BRANCH]]" of [loras], or a file. The tables belong to
// `file`.
struct LoraReference {
  const LoraTable* table = nullptr;  // nullptr: a file, spec.path
  std::optional<int64_t> steps;      // one of the table's checkpoints; absent: the LoRA at its end
  LoraSpec spec;
};
// A value of `embedding`: "NAME" of [embeddings], or a file.
struct EmbeddingReference {
  const EmbeddingTable* table = nullptr;
  EmbeddingSpec spec;
};

// `where` begins a message: "x.toml line 12". Throws ErrorKind::input for what is neither a name nor a file, naming the nearest,
// for steps that are no checkpoint, and as parse_lora_spec does.
LoraReference find_lora(const ExperimentFile& file, const std::string& text, const std::string& where);
EmbeddingReference find_embedding(const ExperimentFile& file, const std::string& text, const std::string& where);

// Whether the experiment trains it or what it is made of, so that it comes in several trainings.
bool is_trained(const ExperimentFile& file, const LoraTable& lora);
bool has_trained(const ExperimentFile& file, const DrawOptions& draw);

// What an arm draws of a list: the first so many where [prompts] says so. Throws ErrorKind::input for a list that is not there.
std::vector<PlannedPrompt> prompts_of(const ExperimentFile& file, const std::string& list);

}  // namespace negativa
