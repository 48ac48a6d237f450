#pragma once
// Textual inversions that a LoRA file brings along.
#include "lora/lora_file.h"
#include "model/models.h"

namespace negativa {

struct BundledWords {
  std::vector<Embedding> words;    // that can be written in prompts of this model
  std::vector<std::string> lines;  // of them and of those that cannot, for the user
};

// name: the LoRA's, as lines call it. taken: embeddings whose names come before. A word is left out that is one already, whose
// vectors are another model's, or that has none for a model's encoder.
BundledWords bundled_words(const LoraFile& lora, const std::string& name, const Models& models,
                           const std::vector<Embedding>& taken);

}  // namespace negativa
