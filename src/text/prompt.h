#pragma once
// The prompt grammar: Compel's, version 2.5.1 (damian0815/compel, src/compel/prompt_parser.py describes the syntax).
//   (words)1.3 or "words"1.3    weight 1.3;  + or - behind a word, a parenthesis or a quote: 1.1 or 0.9 for each;
//   (words).attend(1.3)
//   ("a", "b").blend(1, 2)      one embedding: the weighted mean of both, weights made to sum 1 unless no_normalize is the last
//   option
//   ("a", "b").and(1, 0.5)      77 rows for each, one behind the other (.add is the same)
//   \( \) \"                    the characters themselves
// What does not balance is ordinary words.
#include <string>
#include <string_view>
#include <vector>

namespace negativa {

struct Fragment {
  std::string text;
  double weight = 1.0;
};

// One text; its neighbours of equal weight are one fragment.
using Fragments = std::vector<Fragment>;

struct PromptPart {
  std::vector<Fragments> texts;       // one, or those of a blend
  std::vector<double> blend_weights;  // one for each text
  bool normalize_blend = true;        // weights are divided by their sum
  double weight = 1.0;                // in the conjunction: lerp from the empty prompt
};

struct Prompt {
  std::vector<PromptPart> parts;  // at least one; more: a conjunction
  std::string ignored;            // what stood behind .and(…), which Compel drops; worth a notice
};

// Throws ErrorKind::input for .swap() and LoRAs in the prompt, for weights that do not fit their texts, for words behind a blend
// and for a text that is not UTF-8.
Prompt parse_prompt(std::string_view text);

// The words without the syntax.
std::string clean_text(const Prompt& prompt);

}  // namespace negativa
