#include "text/webui_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "base/text.h"

namespace negativa {

namespace {

constexpr size_t shown_bytes = 60;
constexpr double largest_weight = 10;
constexpr std::string_view white = " \t\r\n";

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_letter(char c) { return is_upper(c) || (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80; }
bool is_word(char c) { return is_letter(c) || is_digit(c) || c == '_'; }
bool has_letter(std::string_view text) { return std::any_of(text.begin(), text.end(), is_letter); }

// A text between brackets and a number behind its last colon: the webui's weight or the step of its schedule.
struct Weighted {
  std::string_view text;
  std::string_view number;
};
std::optional<Weighted> weighted(std::string_view inside) {
  const auto colon = inside.rfind(':');
  if (colon == std::string_view::npos) return {};
  const Weighted found{inside.substr(0, colon), inside.substr(colon + 1)};
  const auto value = number_from(trimmed(found.number));
  if (!value || std::abs(*value) > largest_weight || !has_letter(found.text)) return {};
  const std::string_view last_word = found.text.substr(std::min(found.text.find_last_of(white) + 1, found.text.size()));
  if (found.number.find('.') != std::string_view::npos)
    return last_word == "1" ? std::nullopt : std::optional(found);  // 1:1.85, a ratio
  // A whole number is one only where it touches a word: "(cat:2)", but not "(John 3:16)", "(note: 5)", "(cat, :3)".
  const bool touches = is_letter(found.text.back()) || found.text.back() == ')' || found.text.back() == '"';
  return touches && is_digit(found.number.front()) ? std::optional(found) : std::nullopt;
}

class Finder {
 public:
  // `text`: what is searched, as long as `shown`, of which parts are handed out.
  Finder(std::string_view text, std::string_view shown) : text_(text), shown_(shown) {}

  std::vector<WebuiSyntax> all() {
    for (size_t at = 0; at < text_.size(); ++at) {
      const char c = text_[at];
      if (c == '\\')
        ++at;  // the next character is text
      else if (c == '"')
        in_quotes_ = !in_quotes_;
      else if (c == '(')
        round_.push_back(at);
      else if (c == '[')
        square_.push_back(at);
      else if (c == ')')
        close_round(at);
      else if (c == ']')
        close_square(at);
      else if (c == '<')
        at = network(at);
      else if (is_word(c) && (at == 0 || !is_word(text_[at - 1])))
        word(at);
    }
    return std::move(found_);
  }

 private:
  void add(WebuiSyntax::Kind kind, size_t begin, size_t end) {
    found_.push_back({kind, std::string(shown_.substr(begin, end - begin))});
  }
  char before(size_t at) const { return at == 0 ? ' ' : text_[at - 1]; }
  char behind(size_t at) const { return at + 1 < text_.size() ? text_[at + 1] : ' '; }

  // (words:1.3), and ((words)): parentheses in parentheses, with no weight of ours behind them.
  void close_round(size_t end) {
    if (round_.empty()) return;
    const size_t begin = round_.back();
    round_.pop_back();
    const auto inside = text_.substr(begin + 1, end - begin - 1);
    const bool doubled = inner_begin_ == begin + 1 && inner_end_ + 1 == end && end > begin + 1;
    inner_begin_ = begin, inner_end_ = end;
    if (weighted(inside)) return add(WebuiSyntax::weight, begin, end + 1);
    const bool is_outermost = !(before(begin) == '(' && behind(end) == ')');
    const bool has_weight = std::string_view("+-.").find(behind(end)) != std::string_view::npos || is_digit(behind(end));
    if (doubled && is_outermost && !has_weight && has_letter(inside) && inside.find(':') == std::string_view::npos)
      add(WebuiSyntax::emphasis, begin, end + 1);
  }

  // [words], [from:to:0.5], [one|other]; but not list[0] nor [1].
  void close_square(size_t end) {
    if (square_.empty()) return;
    const size_t begin = square_.back();
    square_.pop_back();
    const auto inside = text_.substr(begin + 1, end - begin - 1);
    if (!has_letter(inside) || is_word(before(begin))) return;
    const auto colon = inside.rfind(':');
    const bool changes = colon != std::string_view::npos && number_from(trimmed(inside.substr(colon + 1)));
    add(changes || inside.find('|') != std::string_view::npos ? WebuiSyntax::schedule : WebuiSyntax::brackets, begin, end + 1);
  }

  // <lora:name:0.8>; returns its last character, or `begin` where it is none.
  size_t network(size_t begin) {
    const auto end = text_.find_first_of("<>\n", begin + 1);
    if (end == std::string_view::npos || text_[end] != '>') return begin;
    const auto inside = text_.substr(begin + 1, end - begin - 1);
    const auto starts = [&](std::string_view name) { return inside.starts_with(name) && inside.size() > name.size(); };
    if (starts("lora:") || starts("lyco:"))
      add(WebuiSyntax::lora, begin, end + 1);
    else if (starts("hypernet:"))
      add(WebuiSyntax::hypernetwork, begin, end + 1);
    else
      return begin;
    return end;
  }

  void word(size_t begin) {
    size_t end = begin;
    while (end < text_.size() && is_word(text_[end])) ++end;
    const auto word = text_.substr(begin, end - begin);
    if (word == "embedding" && end < text_.size() && text_[end] == ':') return embedding(begin, end + 1);
    if ((word != "BREAK" && word != "AND") || in_quotes_ || is_shouted(begin, end)) return;
    const bool stands_between = !trimmed(text_.substr(0, begin)).empty() && !trimmed(text_.substr(end)).empty();
    if (word == "AND" ? stands_between : trimmed(text_).size() > word.size())
      add(word == "AND" ? WebuiSyntax::and_word : WebuiSyntax::break_word, begin, end);
  }

  // ComfyUI's embedding:name; "(embedding:1.2)" is a weight, "embedding: name" text.
  void embedding(size_t begin, size_t name) {
    size_t end = name;
    while (end < text_.size() && (is_word(text_[end]) || std::string_view("-./\\").find(text_[end]) != std::string_view::npos))
      ++end;
    const auto text = text_.substr(name, end - name);
    if (has_letter(text)) add(WebuiSyntax::embedding, begin, end);
  }

  // Whether its neighbours up to the next comma are capitals too, two words at the least: "DO NOT BREAK".
  bool is_shouted(size_t begin, size_t end) const {
    constexpr std::string_view ends = ",.;:!?|()[]\n";
    const auto from = begin == 0 ? std::string_view::npos : text_.find_last_of(ends, begin - 1);
    const auto phrase_begin = from == std::string_view::npos ? 0 : from + 1;
    const auto phrase_end = std::min(text_.find_first_of(ends, end), text_.size());
    const auto phrase = text_.substr(phrase_begin, phrase_end - phrase_begin);
    const bool all_capitals = std::none_of(phrase.begin(), phrase.end(), [](char c) { return is_letter(c) && !is_upper(c); });
    return all_capitals && trimmed(phrase).find_first_of(white) != std::string_view::npos;
  }

  std::string_view text_, shown_;
  std::vector<WebuiSyntax> found_;
  std::vector<size_t> round_, square_;                           // where those that are open begin
  size_t inner_begin_ = std::string_view::npos, inner_end_ = 0;  // the parentheses that were closed last
  bool in_quotes_ = false;
};

// The text with each of the names blanked out, whatever its case.
std::string without_names(std::string_view text, std::span<const std::string> names) {
  std::string result(text);
  for (const auto& name : names) {
    const std::string lower_name = ascii_lower(name);
    if (lower_name.empty()) continue;
    for (size_t at = 0; (at = ascii_lower(result).find(lower_name, at)) != std::string::npos;)
      result.replace(at, name.size(), name.size(), 'x');
  }
  return result;
}

// In one line, cut between two characters.
std::string shortened(std::string_view text) {
  size_t end = std::min(text.size(), shown_bytes);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  std::string result(text.substr(0, end));
  std::replace_if(
      result.begin(), result.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return end < text.size() ? result + "..." : result;
}

}  // namespace

std::string WebuiSyntax::advice() const {
  const std::string inside = text.size() > 2 ? text.substr(1, text.size() - 2) : "";
  const auto first = inside.find(':'), last = inside.rfind(':');
  switch (kind) {
    case weight:
      return fmt::format("write ({}){}", shortened(inside.substr(0, last)), trimmed(inside.substr(last + 1)));
    case emphasis: {
      const auto depth = text.find_first_not_of('(');
      return fmt::format("write ({}){:.4g}", shortened(text.substr(depth, text.size() - 2 * depth)),
                         std::pow(1.1, static_cast<double>(depth)));
    }
    case brackets:
      return fmt::format("write ({})0.9", shortened(inside));
    case schedule:
      return "prompts that change on the way are not supported";
    case lora: {
      const std::string name = inside.substr(first + 1, last == first ? std::string::npos : last - first - 1);
      return fmt::format("use --lora {}.safetensors{}", name, last == first ? "" : inside.substr(last));
    }
    case hypernetwork:
      return "hypernetworks are not supported";
    case break_word:
    case and_word:
      return "write (\"…\", \"…\").and()";
    case embedding:
      break;
  }
  const auto name = text.substr(text.find(':') + 1);
  return fmt::format("use --embedding {}.safetensors and write {}", name, name);
}

std::vector<WebuiSyntax> find_webui_syntax(std::string_view prompt, std::span<const std::string> names) {
  const std::string searched = without_names(prompt, names);
  return Finder(searched, prompt).all();
}

std::string webui_notice(std::span<const std::string> prompts, bool grammar, std::span<const std::string> names) {
  struct Seen {
    WebuiSyntax first;
    int more = 0;
  };
  std::map<WebuiSyntax::Kind, Seen> seen;
  for (const auto& prompt : prompts)
    for (auto& each : find_webui_syntax(prompt, names)) {
      const auto kind = each.kind;
      const auto [known, is_new] = seen.try_emplace(kind, Seen{std::move(each)});
      if (!is_new) ++known->second.more;
    }
  std::vector<std::string> parts;
  for (const auto& [kind, each] : seen)
    parts.push_back(fmt::format("\"{}\"{}{}", shortened(each.first.text),
                                each.more > 0 ? fmt::format(" and {} more", each.more) : "",
                                grammar ? " (" + each.first.advice() + ")" : ""));
  return parts.empty() ? "" : fmt::format("the webui's syntax is not read here, these are plain words: {}", joined(parts, ", "));
}

}  // namespace negativa
