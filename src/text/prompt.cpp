#include "text/prompt.h"

#include "base/error.h"
#include "base/text.h"
#include "text/prompt_parser.h"
#include "text/unicode.h"

namespace negativa {

namespace {

using prompt_syntax::Node;
using prompt_syntax::Nodes;

// Compel unescapes \( \) \" whenever it makes a fragment, so a text is unescaped again when it is joined with the next.
std::string unescaped(std::string_view text) {
  std::string result;
  for (size_t at = 0; at < text.size(); ++at) {
    const bool escape =
        text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '(' || text[at + 1] == ')' || text[at + 1] == '"');
    if (!escape) result += text[at];
  }
  return result;
}

void collect(const Nodes& nodes, double scale, Fragments& fragments) {
  for (const auto& node : nodes) {
    switch (node.kind) {
      case Node::Kind::text:
        fragments.push_back({unescaped(unescaped(node.text)), scale});
        break;
      case Node::Kind::attention:
        collect(node.children, scale * node.weight, fragments);
        break;
      case Node::Kind::swap:
        fail(ErrorKind::input, "[prompt] .swap() is not supported; write the word you want, or \\. for a dot that is text");
      case Node::Kind::lora:
        fail(ErrorKind::input, "[prompt] LoRAs in the prompt are not supported; use --lora {}:{:g}", node.text, node.weight);
    }
  }
}

Fragments flatten(const Nodes& nodes) {
  Fragments single, fused;
  collect(nodes, 1.0, single);
  for (auto& fragment : single) {
    if (!fused.empty() && fused.back().weight == fragment.weight)
      fused.back().text = unescaped(fused.back().text + " " + fragment.text);
    else
      fused.push_back(std::move(fragment));
  }
  return fused;
}

// A comma directly before a word gets a space, as Compel's re.sub(r",(\S)", r", \1") gives it: not twice in a row. Vertical tab
// and form feed, which Compel cannot parse, are spaces here.
std::string prepared(std::string_view text) {
  std::string result;
  if (prompt_syntax::blank(text)) return result;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = next_code_point(text, at);
    if (c == '\v' || c == '\f') {
      result += ' ';
      continue;
    }
    result.append(text.substr(begin, at - begin));
    if (c != ',' || at >= text.size()) continue;
    size_t behind = at;
    next_code_point(text, behind);
    if (prompt_syntax::blank(text.substr(at, behind - at))) continue;
    result += ' ';
    result.append(text.substr(at, behind - at));
    at = behind;
  }
  return result;
}

std::vector<double> weights_of(const std::vector<std::string>& options, size_t count, const std::string& operation) {
  std::vector<double> weights;
  for (const auto& option : options) {
    const auto weight = number_from(option);
    check(weight.has_value(), ErrorKind::input, "[prompt] {}: got \"{}\", expected a weight", operation, option);
    weights.push_back(*weight);
  }
  if (weights.empty()) weights.assign(count, 1.0);
  check(weights.size() == count, ErrorKind::input, "[prompt] {}: got {} weights for {} texts, expected one for each", operation,
        weights.size(), count);
  return weights;
}

PromptPart blend_of(const prompt_syntax::Operation& operation) {
  PromptPart part;
  auto options = operation.options;
  if (!options.empty() && options.back() == "no_normalize") {
    part.normalize_blend = false;
    options.pop_back();
  }
  part.blend_weights = weights_of(options, operation.targets.size(), operation.name);
  double sum = 0;
  for (const double weight : part.blend_weights) sum += weight;
  check(!part.normalize_blend || sum != 0, ErrorKind::input,
        "[prompt] {}: the weights sum to 0; add no_normalize as the last option", operation.name);
  for (const auto& target : operation.targets) {
    part.texts.push_back(flatten(target));
    check(!part.texts.back().empty(), ErrorKind::input, "[prompt] {}: got () as a text, expected words; \"\" is the empty one",
          operation.name);
  }
  return part;
}

PromptPart plain_part(Fragments fragments, double weight = 1.0) {
  PromptPart part;
  part.texts.push_back(std::move(fragments));
  part.blend_weights = {1.0};
  part.weight = weight;
  return part;
}

}  // namespace

Prompt parse_prompt(std::string_view text) {
  check_utf8(text, "prompt");
  const auto syntax = prompt_syntax::parse(prepared(text));
  Prompt prompt;
  prompt.ignored = syntax.ignored;
  if (syntax.operation && syntax.operation->name == ".blend") {
    prompt.parts.push_back(blend_of(*syntax.operation));
  } else if (syntax.operation) {
    const auto& targets = syntax.operation->targets;
    const auto weights = weights_of(syntax.operation->options, targets.size(), syntax.operation->name);
    for (size_t i = 0; i < targets.size(); ++i)
      if (auto fragments = flatten(targets[i]); !fragments.empty())
        prompt.parts.push_back(plain_part(std::move(fragments), weights[i]));
  } else if (auto fragments = flatten(syntax.nodes); !fragments.empty()) {
    prompt.parts.push_back(plain_part(std::move(fragments)));
  }
  if (prompt.parts.empty()) prompt.parts.push_back(plain_part({{""}}));
  return prompt;
}

std::string clean_text(const Prompt& prompt) {
  std::string text;
  for (const auto& part : prompt.parts)
    for (const auto& fragments : part.texts)
      for (const auto& fragment : fragments) {
        if (!text.empty() && !fragment.text.empty()) text += ' ';
        text += fragment.text;
      }
  return text;
}

}  // namespace negativa
