#pragma once
// The syntax tree of a prompt. A recursive descent in the order in which Compel's grammar tries its alternatives.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace negativa::prompt_syntax {

struct Node {
  enum class Kind { text, attention, swap, lora };
  Kind kind = Kind::text;
  std::string text;            // text: as typed, escapes included; lora: its name
  double weight = 1.0;         // attention, lora
  std::vector<Node> children;  // attention
};

using Nodes = std::vector<Node>;

// (targets).name(options)
struct Operation {
  std::string name;  // ".blend", ".and" or ".add"
  std::vector<Nodes> targets;
  std::vector<std::string> options;  // the names of those of the form name=value
};

struct Syntax {
  std::optional<Operation> operation;
  Nodes nodes;          // without an operation
  std::string ignored;  // behind .and(…)
};

// Nothing but what Python's str.isspace takes for white space: the property White_Space and U+001C to U+001F.
bool blank(std::string_view text);

// Throws ErrorKind::input for words behind a blend and for parentheses nested too deeply.
Syntax parse(std::string_view text);

}  // namespace negativa::prompt_syntax
