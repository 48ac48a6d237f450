#pragma once
// Weighted prompts for one encoder: Compel 2.5.1 (damian0815/compel, src/compel/embeddings_provider.py and compel.py) with its
// defaults: long texts truncated, lowered fragments masked, penultimate hidden states, not normalised.
#include <map>

#include "text/clip_text_model.h"
#include "text/prompt.h"
#include "text/tokenizer.h"

namespace negativa {

enum class Weighting { compel, none };  // none: the prompt is plain text, as diffusers' pipeline takes it

// One text of a prompt as ids. Each fragment is tokenised by itself; all of its tokens have its weight.
struct WeightedTokens {
  struct Range {
    int64_t begin, end;  // rows [begin, end) of the 77
    double weight;
  };
  Tokens tokens;                 // one row
  std::vector<Range> fragments;  // those that reach into the row; one that is cut covers it to its end, EOS included
};

WeightedTokens weighted_tokens(const Tokenizer& tokenizer, const Fragments& fragments);

// All rows of a prompt: one for each text of each part.
Tokens prompt_tokens(const Tokenizer& tokenizer, const std::string& prompt, Weighting weighting);

// One encoder during one request. Not to be shared between threads.
class PromptEncoding {
 public:
  // Keeps references to both.
  PromptEncoding(const Tokenizer& tokenizer, const CLIPTextModel& model, TextForward request)
      : tokenizer_(tokenizer), model_(model), request_(std::move(request)) {}

  Tensor plain(const std::string& text);           // [1,77,D]
  Tensor weighted(const Prompt& prompt);           // [1,77n,D], n parts
  Tensor pooled(const std::string& text);          // [1,P]
  Tensor empty();                                  // [1,77,D]: BOS, EOS, pads
  const std::string& cut() const { return cut_; }  // what plain() and weighted() left out

 private:
  const TextOutput& encode(const std::vector<int64_t>& ids);
  Tensor fragments(const Fragments& fragments);
  Tensor lerp(const Tensor& hidden, const std::vector<double>& weights);
  Tensor part(const PromptPart& part);
  void note_cut(const Tokens& tokens);

  const Tokenizer& tokenizer_;
  const CLIPTextModel& model_;
  TextForward request_;
  std::map<std::vector<int64_t>, TextOutput> outputs_;  // the same ids are encoded once
  std::string cut_;
};

}  // namespace negativa
