#include "engine/bundled_words.h"

#include "base/names.h"
#include "base/text.h"

namespace negativa {

namespace {

bool is_free(const std::string& word, const Models& models) {
  for (const char* part : {names::tokenizer, names::tokenizer_2})
    if (models.files().has(part) && !is_free_name(Tokenizer::load(models.files().tokenizer_folder(part)), word)) return false;
  return true;
}

bool fits(const Tensor& vectors, std::optional<int64_t> width) { return !vectors.defined() || vectors.size(1) == width; }

// Why the word cannot be offered; empty: it can.
std::string reason(const BundledEmbedding& bundled, const Models& models, const std::vector<Embedding>& taken) {
  for (const auto& embedding : taken)
    if (embedding.name == bundled.word || embedding.also == bundled.word) return "another embedding has that name";
  if (!is_free(bundled.word, models)) return "it is a word already";
  const auto widths = models.embedding_widths();
  const bool fit = fits(bundled.clip_g, widths.clip_g) && (!widths.clip_l || fits(bundled.clip_l, widths.clip_l));
  if (!fit) return "its vectors are for another model";
  return bundled.clip_g.defined() || widths.clip_l ? "" : "it has no vectors for this model's encoder";
}

}  // namespace

BundledWords bundled_words(const LoraFile& lora, const std::string& name, const Models& models,
                           const std::vector<Embedding>& taken) {
  BundledWords bundled;
  std::vector<std::string> quoted;
  for (const auto& embedding : lora.embeddings) {
    if (const auto why = reason(embedding, models, taken); !why.empty()) {
      bundled.lines.push_back(fmt::format("{}: the word \"{}\" that it brings along is left out: {}", name, embedding.word, why));
      continue;
    }
    bundled.words.push_back({embedding.word, embedding.clip_l, embedding.clip_g});
    quoted.push_back("\"" + embedding.word + "\"");
  }
  if (!quoted.empty())
    bundled.lines.push_back(fmt::format("{} brings along what {} in a prompt stands for", name, joined(quoted, ", ")));
  return bundled;
}

}  // namespace negativa
