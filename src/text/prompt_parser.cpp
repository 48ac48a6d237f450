#include "text/prompt_parser.h"

#include <cmath>
#include <map>

#include "base/error.h"
#include "base/text.h"
#include "text/unicode.h"

namespace negativa::prompt_syntax {

namespace {

constexpr std::string_view white = " \t\r\n", syntactic = "()\",.+-=";
constexpr int max_depth = 200;

bool is_one_of(char c, std::string_view characters) { return characters.find(c) != std::string_view::npos; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_keyword(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-'; }

// Each method reads at `at_` and moves it behind what it read; where it finds nothing it leaves `at_` alone.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Syntax whole();
  Nodes top_level();
  Nodes sequence(bool with_commas);
  bool at_end() const { return skipped() == text_.size(); }

 private:
  size_t skipped() const { return std::min(text_.find_first_not_of(white, at_), text_.size()); }
  bool literal(std::string_view expected);
  std::optional<std::string> run(bool (*belongs)(char));
  std::optional<double> signs();
  std::optional<double> number();
  std::optional<std::string> option();
  std::vector<std::string> options();
  std::optional<std::string> quotation();

  std::optional<Nodes> word();
  std::optional<Nodes> quoted();
  std::optional<Nodes> quoted_prompt();
  std::optional<Nodes> parenthesized();
  std::optional<Nodes> target();
  std::optional<double> weight_behind(bool behind_word);
  bool swap();
  std::optional<Nodes> lora();
  std::optional<Nodes> item(bool bare_word);
  std::optional<Operation> operation(std::string_view name);

  std::string_view text_;
  size_t at_ = 0;
  int depth_ = 0;
  struct Seen {
    std::optional<Nodes> nodes;
    size_t behind;
  };
  std::map<size_t, Seen> seen_;  // parentheses by position: each is read once, however often an alternative comes back to it
};

bool Parser::literal(std::string_view expected) {
  const size_t begin = skipped();
  if (!text_.substr(begin).starts_with(expected)) return false;
  at_ = begin + expected.size();
  return true;
}

std::optional<std::string> Parser::run(bool (*belongs)(char)) {
  const size_t begin = skipped();
  size_t end = begin;
  while (end < text_.size() && belongs(text_[end])) ++end;
  if (end == begin) return {};
  at_ = end;
  return std::string(text_.substr(begin, end - begin));
}

// A run of + or of -: 1.1 or 0.9 to its length.
std::optional<double> Parser::signs() {
  if (const auto plus = run([](char c) { return c == '+'; })) return std::pow(1.1, static_cast<double>(plus->size()));
  if (const auto minus = run([](char c) { return c == '-'; })) return std::pow(0.9, static_cast<double>(minus->size()));
  return {};
}

// [+-]?(digits.digits? | .digits), or -?digits
std::optional<double> Parser::number() {
  const size_t begin = skipped();
  size_t end = begin;
  const auto digits = [&] {
    const size_t from = end;
    while (end < text_.size() && is_digit(text_[end])) ++end;
    return end > from;
  };
  const bool sign = begin < text_.size() && is_one_of(text_[begin], "+-");
  if (sign) ++end;
  const bool whole = digits();
  const size_t behind_whole = end;
  bool found = whole && (!sign || text_[begin] == '-');
  if (end < text_.size() && text_[end] == '.') {
    ++end;
    if (digits() || whole)
      found = true;
    else
      end = behind_whole;
  }
  if (!found) return {};
  at_ = end;
  const auto value = number_from(text_.substr(begin, end - begin));
  check(value.has_value(), ErrorKind::input, "[prompt] got the weight {}, expected a number of usual size",
        text_.substr(begin, end - begin));
  return value;
}

// name=value, number or name; of the first only the name.
std::optional<std::string> Parser::option() {
  const size_t begin = at_;
  if (const auto name = run(is_keyword)) {
    if (literal("=") && (number() || run(is_keyword))) return name;
  }
  at_ = begin;
  if (const auto value = number()) return fmt::format("{}", *value);
  return run(is_keyword);
}

std::vector<std::string> Parser::options() {
  std::vector<std::string> result;
  size_t behind = at_;
  while (const auto each = option()) {
    result.push_back(*each);
    behind = at_;
    if (!literal(",")) break;
  }
  at_ = behind;
  return result;
}

// "…" on one line, \" inside it; where the last quote is an escaped one, that one closes.
std::optional<std::string> Parser::quotation() {
  const size_t begin = skipped();
  if (begin >= text_.size() || text_[begin] != '"') return {};
  size_t end = begin + 1, last_escaped = 0;
  while (end < text_.size() && !is_one_of(text_[end], "\"\r\n")) {
    const bool escaped = text_.substr(end).starts_with("\\\"");
    if (escaped) last_escaped = end + 1;
    end += escaped ? 2 : 1;
  }
  if (end >= text_.size() || text_[end] != '"') end = last_escaped;
  if (!end) return {};
  std::string content(text_.substr(begin + 1, end - begin - 1));
  for (size_t i = 0; i + 1 < content.size(); ++i)
    if (content[i] == '\\' && is_one_of(content[i + 1], "tnfr")) content.replace(i, 2, " ");
  at_ = end + 1;
  return content;
}

std::optional<Nodes> Parser::word() {
  const size_t begin = skipped();
  size_t end = begin;
  while (end < text_.size()) {
    const char c = text_[end];
    const bool last = end + 1 == text_.size();
    const char next = last ? ' ' : text_[end + 1];
    if (c == '\\' && is_one_of(next, syntactic))
      end += 2;
    else if (is_one_of(c, "+-") ? !is_one_of(next, white) && !is_one_of(next, syntactic)
                                : !is_one_of(c, white) && !is_one_of(c, syntactic))
      ++end;
    else
      break;
  }
  if (end == begin) return {};
  at_ = end;
  return Nodes{{Node::Kind::text, std::string(text_.substr(begin, end - begin)), 1.0, {}}};
}

std::optional<Nodes> Parser::quoted() {
  const size_t begin = at_;
  const auto content = quotation();
  if (!content) return {};
  if (blank(*content)) return Nodes{Node{}};
  Parser inner(*content);
  auto nodes = inner.sequence(true);
  if (inner.at_end()) return nodes;
  at_ = begin;
  return {};
}

// A quotation that holds syntax of the top level: for blends and conjunctions.
std::optional<Nodes> Parser::quoted_prompt() {
  const auto content = quotation();
  if (!content) return {};
  return Parser(*content).top_level();
}

std::optional<Nodes> Parser::parenthesized() {
  const size_t begin = skipped();
  if (begin >= text_.size() || text_[begin] != '(') return {};
  if (const auto found = seen_.find(begin); found != seen_.end()) {
    if (found->second.nodes) at_ = found->second.behind;
    return found->second.nodes;
  }
  check(++depth_ <= max_depth, ErrorKind::input, "[prompt] got parentheses nested deeper than {}; write \\( for one that is text",
        max_depth);
  const size_t start = at_;
  at_ = begin + 1;
  std::optional<Nodes> nodes = sequence(true);
  if (!literal(")")) {
    nodes.reset();
    at_ = start;
  }
  --depth_;
  seen_[begin] = {nodes, at_};
  return nodes;
}

std::optional<Nodes> Parser::target() {
  if (auto nodes = quoted()) return nodes;
  if (auto nodes = parenthesized()) return nodes;
  return word();
}

// .attend(weight), or a weight that follows without white space: signs, or behind parentheses and quotes a number.
std::optional<double> Parser::weight_behind(bool behind_word) {
  const size_t begin = at_;
  if (literal(".attend") && literal("(")) {
    auto weight = signs();
    if (!weight) weight = number();
    if (weight && literal(")")) return weight;
  }
  at_ = begin;
  if (begin >= text_.size() || is_one_of(text_[begin], white)) return {};
  if (const auto weight = signs()) return weight;
  return behind_word ? std::nullopt : number();
}

// .swap(words) or .swap(words, options)
bool Parser::swap() {
  const size_t begin = at_;
  if (literal(".swap") && literal("(")) {
    sequence(false);
    if (literal(",")) options();
    if (literal(")")) return true;
  }
  at_ = begin;
  return false;
}

// withLora(name, weight) or useLora(name)
std::optional<Nodes> Parser::lora() {
  const size_t begin = at_;
  if ((literal("useLora") || literal("withLora")) && literal("(")) {
    if (const auto name = run(is_keyword)) {
      const size_t behind = at_;
      std::optional<double> weight;
      if (literal(",")) weight = number();
      if (!weight) at_ = behind;
      if (literal(")")) return Nodes{{Node::Kind::lora, *name, weight.value_or(1.0), {}}};
    }
  }
  at_ = begin;
  return {};
}

// A LoRA, or a target with or without an operator. bare_word: a word without one counts too.
std::optional<Nodes> Parser::item(bool bare_word) {
  if (auto nodes = lora()) return nodes;
  const size_t begin = at_;
  const size_t first = skipped();
  auto nodes = target();
  if (!nodes) return {};
  const bool is_word = !is_one_of(text_[first], "(\"");
  if (const auto weight = weight_behind(is_word)) return Nodes{{Node::Kind::attention, "", *weight, std::move(*nodes)}};
  if (swap()) return Nodes{{Node::Kind::swap, "", 1.0, {}}};
  if (!is_word || bare_word) return nodes;
  at_ = begin;
  return {};
}

// Inside parentheses and quotes: commas and full stops are words of their own.
Nodes Parser::sequence(bool with_commas) {
  Nodes nodes;
  while (true) {
    if (auto found = item(true))
      nodes.insert(nodes.end(), found->begin(), found->end());
    else if (with_commas && literal(","))
      nodes.push_back({Node::Kind::text, ",", 1.0, {}});
    else if (with_commas && literal("."))
      nodes.push_back({Node::Kind::text, ".", 1.0, {}});
    else
      return nodes;
  }
}

// Outside of them: whatever is no syntax is a word up to the next white space.
Nodes Parser::top_level() {
  Nodes nodes;
  while (!at_end()) {
    if (auto found = item(false))
      nodes.insert(nodes.end(), found->begin(), found->end());
    else
      nodes.push_back({Node::Kind::text, *run([](char c) { return !is_one_of(c, white); }), 1.0, {}});
  }
  return nodes;
}

std::optional<Operation> Parser::operation(std::string_view name) {
  const size_t begin = at_;
  Operation result{std::string(name), {}, {}};
  bool complete = literal("(");
  while (complete) {
    auto each = target();
    if (!each) each = quoted_prompt();
    complete = each.has_value();
    if (complete) result.targets.push_back(std::move(*each));
    if (!complete || !literal(",")) break;
  }
  if (complete && literal(")") && literal(name) && literal("(")) {
    result.options = options();
    if (literal(")")) return result;
  }
  at_ = begin;
  return {};
}

Syntax Parser::whole() {
  Syntax syntax;
  for (const auto* name : {".and", ".add"}) {
    syntax.operation = operation(name);
    if (!syntax.operation) continue;
    syntax.ignored = text_.substr(skipped());
    return syntax;
  }
  while (auto nodes = lora()) syntax.nodes.insert(syntax.nodes.end(), nodes->begin(), nodes->end());
  syntax.operation = operation(".blend");
  if (!syntax.operation) {
    auto nodes = top_level();
    syntax.nodes.insert(syntax.nodes.end(), nodes.begin(), nodes.end());
    return syntax;
  }
  while (auto nodes = lora()) syntax.nodes.insert(syntax.nodes.end(), nodes->begin(), nodes->end());
  check(at_end(), ErrorKind::input,
        "[prompt] got \"{}\" behind .blend(), expected nothing; put it into each of the blend's texts", text_.substr(skipped()));
  check(syntax.nodes.empty(), ErrorKind::input, "[prompt] LoRAs in the prompt are not supported; use --lora FILE:WEIGHT");
  return syntax;
}

}  // namespace

bool blank(std::string_view text) {
  for (size_t at = 0; at < text.size();)
    if (const char32_t c = next_code_point(text, at); !is_space(c) && !(c >= 0x1c && c <= 0x1f)) return false;
  return true;
}

Syntax parse(std::string_view text) { return Parser(text).whole(); }

}  // namespace negativa::prompt_syntax
