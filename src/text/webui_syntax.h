#pragma once
// Syntax of AUTOMATIC1111's webui (modules/prompt_parser.py, modules/extra_networks.py) and of ComfyUI that the prompt grammar
// does not read: prompts that are pasted from elsewhere have it, and here it would be drawn as words.
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace negativa {

struct WebuiSyntax {
  enum Kind { weight, emphasis, brackets, schedule, lora, hypernetwork, break_word, and_word, embedding };
  Kind kind;
  std::string text;  // as it stands: "(red hair:1.3)"

  // What to write or use instead: "write (red hair)1.3".
  std::string advice() const;
};

// In order of their ends. Ordinary text is passed over: "(a dog)", "(ratio 16:9)", "list[0]", "COFFEE BREAK", "breakfast".
// `names`: of embeddings, which may look like anything.
std::vector<WebuiSyntax> find_webui_syntax(std::string_view prompt, std::span<const std::string> names = {});

// One line on all texts of a run: the first of each kind, how many more there are, and what to do where the grammar is in force.
// Empty: there is none.
std::string webui_notice(std::span<const std::string> prompts, bool grammar, std::span<const std::string> names = {});

}  // namespace negativa
