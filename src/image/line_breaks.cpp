#include "image/line_breaks.h"

#include <unicode/brkiter.h>
#include <unicode/ubidi.h>
#include <unicode/unistr.h>

#include <algorithm>

#include "base/error.h"

namespace negativa {

namespace {

bool ends_line(char16_t c) { return (c >= u'\n' && c <= u'\r') || c == 0x85 || c == 0x2028 || c == 0x2029; }

// Without their line ends, of which "\r\n" is one; what follows the last of them only if it is something.
std::vector<std::u16string> paragraphs_of(std::string_view utf8) {
  const auto text = icu::UnicodeString::fromUTF8(icu::StringPiece(utf8.data(), static_cast<int32_t>(utf8.size())));
  std::vector<std::u16string> paragraphs(1);
  for (int32_t i = 0; i < text.length(); ++i) {
    const char16_t c = text[i];
    if (ends_line(c)) {
      if (c == u'\r' && i + 1 < text.length() && text[i + 1] == u'\n') ++i;
      paragraphs.emplace_back();
    } else if (c == u'\t') {
      paragraphs.back() += u' ';
    } else {
      paragraphs.back() += c < 0x20 || (c >= 0x7f && c < 0xa0) ? u'\ufffd' : c;
    }
  }
  if (paragraphs.back().empty()) paragraphs.pop_back();
  return paragraphs;
}

bool reads_right_to_left(const std::u16string& paragraph) {
  return ubidi_getBaseDirection(paragraph.data(), static_cast<int32_t>(paragraph.size())) == UBIDI_RTL;
}

std::u16string without_last_spaces(std::u16string text) {
  text.erase(text.find_last_not_of(u' ') + 1);
  return text;
}

// The places where a text may be cut.
class Breaks {
 public:
  using Kind = icu::BreakIterator*(const icu::Locale&, UErrorCode&);

  Breaks(const std::u16string& text, Kind* kind) : text_(false, text.data(), static_cast<int32_t>(text.size())) {
    UErrorCode status = U_ZERO_ERROR;
    iterator_.reset(kind(icu::Locale::getRoot(), status));
    check(U_SUCCESS(status), ErrorKind::machine, "[fonts] ICU cannot break lines ({}); is its data installed?",
          u_errorName(status));
    iterator_->setText(text_);
  }

  size_t after(size_t begin) {  // the text's length where no other follows
    const int32_t at = iterator_->following(static_cast<int32_t>(begin));
    return at == icu::BreakIterator::DONE ? static_cast<size_t>(text_.length()) : static_cast<size_t>(at);
  }
  size_t before(size_t end) {
    const int32_t at = iterator_->preceding(static_cast<int32_t>(end));
    return at == icu::BreakIterator::DONE ? 0 : static_cast<size_t>(at);
  }

 private:
  icu::UnicodeString text_;  // borrows the characters
  std::unique_ptr<icu::BreakIterator> iterator_;
};

class Breaker {
 public:
  Breaker(const TextBox& box, const std::function<int(const TextLine&)>& width_px) : box_(box), width_px_(width_px) {}

  bool full() const { return lines_.size() > most(); }

  void add(const std::u16string& paragraph) {
    Breaks words(paragraph, icu::BreakIterator::createLineInstance),
        letters(paragraph, icu::BreakIterator::createCharacterInstance);
    const bool right_to_left = reads_right_to_left(paragraph);
    const auto line_of = [&](size_t begin, size_t end) {
      return TextLine{without_last_spaces(paragraph.substr(begin, end - begin)), right_to_left};
    };
    const auto last_that_fits = [&](Breaks& breaks, size_t begin) {  // `begin`: even the first is too far
      size_t last = begin;
      while (last < paragraph.size() && fits(line_of(begin, breaks.after(last)))) last = breaks.after(last);
      return last;
    };
    size_t begin = 0;
    do {
      size_t end = last_that_fits(words, begin);
      if (end == begin) end = last_that_fits(letters, begin);
      if (end == begin) end = letters.after(begin);
      lines_.push_back(line_of(begin, end));
      begin = end;
    } while (begin < paragraph.size() && !full());
  }

  std::vector<TextLine> lines() && {
    if (full()) {
      lines_.resize(most());
      lines_.back().text = with_ellipsis(lines_.back());
    }
    return std::move(lines_);
  }

 private:
  size_t most() const { return static_cast<size_t>(std::max(box_.max_lines, 1)); }
  bool fits(const TextLine& line) const { return width_px_(line) <= box_.width_px; }

  std::u16string with_ellipsis(const TextLine& line) const {
    Breaks letters(line.text, icu::BreakIterator::createCharacterInstance);
    for (size_t length = line.text.size();; length = letters.before(length)) {
      std::u16string cut = without_last_spaces(line.text.substr(0, length)) + u"…";
      if (length == 0 || fits({cut, line.right_to_left})) return cut;
    }
  }

  const TextBox& box_;
  const std::function<int(const TextLine&)>& width_px_;
  std::vector<TextLine> lines_;
};

}  // namespace

TextLine text_line(std::string_view utf8) {
  TextLine line;
  for (const auto& paragraph : paragraphs_of(utf8)) line.text += (line.text.empty() ? u"" : u" ") + paragraph;
  line.right_to_left = reads_right_to_left(line.text);
  return line;
}

std::vector<TextLine> broken_lines(std::string_view utf8, const TextBox& box,
                                   const std::function<int(const TextLine&)>& width_px) {
  Breaker breaker(box, width_px);
  for (const auto& paragraph : paragraphs_of(utf8))
    if (!breaker.full()) breaker.add(paragraph);
  return std::move(breaker).lines();
}

}  // namespace negativa
