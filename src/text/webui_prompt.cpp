#include "text/webui_prompt.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "text/prompt.h"
#include "text/unicode.h"

namespace negativa {

namespace {

constexpr double step = 1.1;    // of one pair of parentheses
constexpr int max_depth = 100;  // of brackets in brackets
constexpr std::string_view white = " \t\r\n";

using Parts = std::vector<Fragments>;  // BREAK ends one

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Where a word stands by itself; npos: nowhere.
size_t find_word(std::string_view text, std::string_view word, size_t from = 0) {
  for (size_t at = from; (at = text.find(word, at)) != std::string_view::npos; at += word.size()) {
    const size_t end = at + word.size();
    if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]))) return at;
  }
  return std::string_view::npos;
}

// The bracket that closes the one at `open`; npos: none.
size_t closing(std::string_view text, size_t open) {
  int depth = 0;
  for (size_t i = open; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '[' || text[i] == '(')
      ++depth;
    else if ((text[i] == ']' || text[i] == ')') && --depth == 0)
      return text[i] == (text[open] == '[' ? ']' : ')') ? i : std::string_view::npos;
  }
  return std::string_view::npos;
}

// Between those separators that stand in no inner brackets.
std::vector<std::string_view> split_outside(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '[' || text[i] == '(')
      ++depth;
    else if (text[i] == ']' || text[i] == ')')
      --depth;
    else if (text[i] == separator && depth == 0) {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  parts.push_back(text.substr(begin));
  return parts;
}

class Webui {
 public:
  explicit Webui(TranslatedPrompt& result) : result_(result) {}

  Parts read(std::string_view text) {
    std::string whole = with_one_prompt(without_schedules(without_tags(text), 0));
    return attention(whole);
  }

 private:
  void leave_out(std::string_view text, std::string_view why) {
    result_.not_honoured.push_back(not_honoured_line("prompt", text, why));
  }

  // <hypernet:name:1> and the like.
  std::string without_tags(std::string_view text) {
    std::string result;
    size_t at = 0;
    for (size_t open = 0; (open = text.find('<', open)) != std::string_view::npos;) {
      size_t colon = open + 1;
      while (colon < text.size() && is_word(text[colon])) ++colon;
      const auto end = text.find('>', colon);
      if (colon == open + 1 || colon >= text.size() || text[colon] != ':' || end == std::string_view::npos || end == colon + 1) {
        ++open;
        continue;
      }
      leave_out(text.substr(open, end + 1 - open), "not known here");
      result += text.substr(at, open - at);
      open = at = end + 1;
    }
    return result + std::string(text.substr(at));
  }

  // [from:to:0.5], [to:10], [from::10], [one|other]: the first text stands for all steps.
  std::string without_schedules(std::string_view text, int depth) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
      const size_t end = text[i] == '[' && depth < max_depth ? closing(text, i) : std::string_view::npos;
      if (text[i] == '\\' && i + 1 < text.size()) {
        result += text[i];
        result += text[++i];
      } else if (end == std::string_view::npos) {
        result += text[i];
      } else {
        const auto inside = text.substr(i + 1, end - i - 1);
        const auto chosen = first_of(inside);
        if (chosen)
          leave_out(text.substr(i, end + 1 - i), "prompts do not change from step to step here; its first text is taken");
        result += chosen ? without_schedules(*chosen, depth + 1) : "[" + without_schedules(inside, depth + 1) + "]";
        i = end;
      }
    }
    return result;
  }

  static std::optional<std::string_view> first_of(std::string_view inside) {
    if (const auto one = split_outside(inside, '|'); one.size() > 1) return one[0];
    const auto parts = split_outside(inside, ':');
    if ((parts.size() != 2 && parts.size() != 3) || !number_from(trimmed(parts.back()))) return {};
    return parts[0];
  }

  // "a AND b :0.5": several prompts, each guided by itself.
  std::string with_one_prompt(const std::string& text) {
    const size_t at = find_word(text, "AND");
    if (at == std::string::npos) return text;
    leave_out(trimmed(std::string_view(text).substr(at)), "one prompt guides a picture here; what stands before it is taken");
    std::string first(text.substr(0, at));
    const auto colon = first.rfind(':');  // its weight, which is 1 beside no other
    if (colon != std::string::npos && number_from(trimmed(std::string_view(first).substr(colon + 1)))) first.resize(colon);
    return std::string(trimmed(first));
  }

  static void multiply(Fragments& all, size_t from, double by) {
    for (size_t i = from; i < all.size(); ++i) all[i].weight *= by;
  }

  // "…:1.3)" at the colon: the number and where the bracket is.
  static std::optional<std::pair<double, size_t>> weight_at(std::string_view text, size_t colon) {
    const auto end = text.find(')', colon);
    if (end == std::string_view::npos) return {};
    const auto number = trimmed(text.substr(colon + 1, end - colon - 1));
    const bool plain = !number.empty() &&
                       number.find_first_not_of("0123456789.", number[0] == '+' || number[0] == '-') == std::string_view::npos;
    const auto value = plain ? number_from(number) : std::nullopt;
    return value ? std::optional(std::pair(*value, end)) : std::nullopt;
  }

  Parts attention(std::string_view text) {
    Fragments all;  // a break is a fragment with its mark, which no text can be
    std::vector<size_t> round, square;
    std::string run;
    const auto flush = [&] {
      if (!run.empty()) all.push_back({std::exchange(run, ""), 1.0});
    };
    for (size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      const auto weight = c == ':' && !round.empty() ? weight_at(text, i) : std::nullopt;
      if (c == '\\' && i + 1 < text.size() && std::string_view("()[]\\").find(text[i + 1]) != std::string_view::npos) {
        run += text[++i];
      } else if (c == '(' || c == '[') {
        flush();
        (c == '(' ? round : square).push_back(all.size());
      } else if (weight) {
        flush();
        multiply(all, round.back(), weight->first);
        round.pop_back();
        i = weight->second;
      } else if ((c == ')' && !round.empty()) || (c == ']' && !square.empty())) {
        flush();
        auto& open = c == ')' ? round : square;
        multiply(all, open.back(), c == ')' ? step : 1 / step);
        open.pop_back();
      } else {
        run += c;
      }
    }
    flush();
    for (const size_t from : round) multiply(all, from, step);
    for (const size_t from : square) multiply(all, from, 1 / step);
    return broken(all);
  }

  static Parts broken(const Fragments& all) {
    Parts parts(1);
    for (const auto& [text, weight] : all) {
      size_t at = 0;
      for (size_t next = 0; (next = find_word(text, "BREAK", at)) != std::string::npos; at = next + 5) {
        parts.back().push_back({text.substr(at, next - at), weight});
        parts.emplace_back();
      }
      parts.back().push_back({text.substr(at), weight});
    }
    return parts;
  }

  TranslatedPrompt& result_;
};

// ComfyUI: parentheses alone; an inner weight is said of itself, whatever stands around.
class Comfy {
 public:
  explicit Comfy(TranslatedPrompt& result) : result_(result) {}
  Parts read(std::string_view text) {
    Parts parts(1);
    add(without_embedding_marks(text), 1, 0, parts[0]);
    return parts;
  }

 private:
  std::string without_embedding_marks(std::string_view text) {
    constexpr std::string_view mark = "embedding:";
    std::string result;
    size_t at = 0;
    for (size_t found = 0; (found = text.find(mark, at)) != std::string_view::npos;) {
      result += text.substr(at, found - at);
      size_t end = found + mark.size();
      while (end < text.size() && (is_word(text[end]) || std::string_view("-./\\").find(text[end]) != std::string_view::npos))
        ++end;
      while (end > found + mark.size() && text[end - 1] == '.') --end;
      const std::string name = plain_file_name(text.substr(found + mark.size(), end - found - mark.size()));
      if (!name.empty()) result_.embeddings.push_back(name);
      result += name;
      at = end;
    }
    return result + std::string(text.substr(at));
  }

  static std::string unescaped(std::string_view text) {
    std::string result;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '(' || text[i + 1] == ')')) ++i;
      result += text[i];
    }
    return result;
  }

  // The end of the parentheses at `open`; npos: they are not closed, and stand for themselves.
  static size_t closing_round(std::string_view text, size_t open) {
    int depth = 0;
    for (size_t i = open; i < text.size(); ++i) {
      if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '(' || text[i + 1] == ')'))
        ++i;
      else if (text[i] == '(')
        ++depth;
      else if (text[i] == ')' && --depth == 0)
        return i;
    }
    return std::string_view::npos;
  }

  static void add(std::string_view text, double weight, int depth, Fragments& all) {
    size_t at = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
        continue;
      }
      const size_t end = text[i] == '(' && depth < max_depth ? closing_round(text, i) : std::string_view::npos;
      if (end == std::string_view::npos) continue;
      if (i > at) all.push_back({unescaped(text.substr(at, i - at)), weight});
      auto inside = text.substr(i + 1, end - i - 1);
      double own = weight * step;
      const auto colon = inside.rfind(':');
      if (colon != std::string_view::npos && colon > 0)
        if (const auto number = number_from(trimmed(inside.substr(colon + 1)))) {
          own = *number;
          inside = inside.substr(0, colon);
        }
      add(inside, own, depth + 1, all);
      at = end + 1;
      i = end;
    }
    if (at < text.size()) all.push_back({unescaped(text.substr(at)), weight});
  }

  TranslatedPrompt& result_;
};

// CLIP's tokenizer splits words from digits and signs itself, so white space between those makes no difference; commas neither.
std::vector<std::string> pieces_of(std::string_view text) {
  enum Class { space, letter, digit, comma, sign };
  const auto class_of = [](char c) {
    if (white.find(c) != std::string_view::npos) return space;
    if (c >= '0' && c <= '9') return digit;
    if (c == ',') return comma;
    return is_word(c) && c != '_' ? letter : sign;
  };
  std::vector<std::string> pieces;
  Class before = space;
  for (const char c : text) {
    const Class now = class_of(c);
    if (now != space && (now != before || now == digit || now == comma)) pieces.emplace_back();
    if (now != space) pieces.back() += c;
    before = now;
  }
  return pieces;
}

struct Piece {
  std::string text;
  double weight;
  bool operator==(const Piece& other) const { return text == other.text && std::abs(weight - other.weight) < 1e-4; }
};

std::vector<Piece> pieces_of(const Fragments& fragments) {
  std::vector<Piece> pieces;
  for (const auto& fragment : fragments)
    for (auto& text : pieces_of(fragment.text)) pieces.push_back({std::move(text), fragment.weight});
  return pieces;
}

bool says(const std::string& text, const Parts& parts) {
  try {
    const Prompt read = parse_prompt(text);
    if (!read.ignored.empty() || read.parts.size() != parts.size()) return false;
    for (size_t i = 0; i < parts.size(); ++i) {
      const auto& part = read.parts[i];
      if (part.texts.size() != 1 || part.weight != 1 || pieces_of(part.texts[0]) != pieces_of(parts[i])) return false;
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

std::string plain_of(const Parts& parts) {
  std::string text;
  for (const auto& part : parts) {
    if (!text.empty()) text += ' ';
    for (const auto& fragment : part) text += fragment.text;
  }
  return text;
}

std::string escaped(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '(' || c == ')' || c == '"') result += '\\';
    // A sign at a word's end would be a weight; the tokenizer parts them anyway.
    if ((c == '+' || c == '-') && i > 0 && is_word(text[i - 1]) && (i + 1 == text.size() || !is_word(text[i + 1]))) result += ' ';
    result += c;
  }
  return result;
}

// Compel's grammar; weights stand behind parentheses and apart from what is around.
std::string compel_of(const Fragments& fragments) {
  std::string text;
  for (const auto& [words, weight] : fragments) {
    if (trimmed(words).empty()) {
      text += words;
      continue;
    }
    const bool weighted = std::abs(weight - 1) > 1e-6;
    const bool apart = white.find(words[0]) != std::string_view::npos || words[0] == ',';
    if (!text.empty() && white.find(text.back()) == std::string_view::npos && (weighted || !apart)) text += ' ';
    text += weighted ? fmt::format("({}){:.6g}", escaped(trimmed(words)), weight) : escaped(words);
  }
  return std::string(trimmed(text));
}

std::string compel_of(const Parts& parts) {
  if (parts.size() == 1) return compel_of(parts[0]);
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "(\"" : "\", \"") + compel_of(part);
  return text + "\").and()";
}

// Of neighbours of one weight, one.
void fuse(Parts& parts) {
  for (auto& part : parts) {
    Fragments fused;
    for (auto& fragment : part)
      if (!fused.empty() && fused.back().weight == fragment.weight)
        fused.back().text += fragment.text;
      else
        fused.push_back(std::move(fragment));
    part = std::move(fused);
  }
  std::erase_if(parts, [](const Fragments& part) { return trimmed(plain_of({part})).empty(); });
  if (parts.empty()) parts.push_back({{"", 1.0}});
}

}  // namespace

TranslatedPrompt translate_prompt(std::string_view given, PromptDialect dialect) {
  TranslatedPrompt result;
  const std::string text = valid_utf8(given);
  result.plain = text;
  if (dialect == PromptDialect::compel) {
    result.weighted = text;
    result.has_weights = true;
    return result;
  }
  Parts parts = dialect == PromptDialect::webui   ? Webui(result).read(text)
                : dialect == PromptDialect::comfy ? Comfy(result).read(text)
                                                  : Parts{{{text, 1.0}}};
  fuse(parts);
  result.plain = plain_of(parts);
  result.has_weights = parts.size() > 1 || std::any_of(parts[0].begin(), parts[0].end(),
                                                       [](const Fragment& each) { return std::abs(each.weight - 1) > 1e-6; });
  const std::string compel = compel_of(parts);
  if (!result.has_weights && says(result.plain, parts))
    result.weighted = result.plain;
  else if (says(compel, parts))
    result.weighted = compel;
  return result;
}

}  // namespace negativa
