#pragma once
// How a prompt is read: what `negativa tokens` reports. Needs tokenizer folders only.
#include "base/places.h"
#include "text/weighting.h"

namespace negativa {

struct TokensReport {
  struct Part {
    std::string name;  // "tokenizer" or "tokenizer_2"
    Tokens tokens;
    std::vector<std::vector<std::string>> pieces;  // [n,77]
    int64_t bos, eos, pad;
  };
  std::vector<Part> parts;
  std::string cut;  // text that did not fit; empty: all did
};

struct Tokenizers {
  std::optional<Tokenizer> first;
  Tokenizer second;
};

// tokenizer/ (where it exists) and tokenizer_2/ of a model folder, or those that a single file draws with. Throws as
// Tokenizer::load and open_model do.
Tokenizers load_tokenizers(const std::filesystem::path& model, const Places& places = {});

TokensReport tokens_report(const Tokenizers& tokenizers, const std::string& prompt, Weighting weighting);

}  // namespace negativa
