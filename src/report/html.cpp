#include "report/html.h"

#include "base/error.h"
#include "base/text.h"

namespace negativa {

namespace {

bool is_control(char32_t c) { return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || (c >= 0x80 && c < 0xa0); }

const char* reference_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return nullptr;
  }
}

bool is_plain(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e || reference_of(c)) return false;
  return true;
}

}  // namespace

std::string escaped(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::u32string characters = code_points(text);
  for (char32_t& c : characters)
    if (is_control(c)) c = 0xfffd;
  std::string result;
  for (const char c : utf8_from(characters)) {
    if (const char* reference = reference_of(c))
      result += reference;
    else
      result += c;
  }
  return result;
}

std::string script_safe(std::string_view json) {
  std::string result;
  result.reserve(json.size());
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (c == '<' || c == '>' || c == '&') {
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else if (json.substr(i).starts_with("\xe2\x80\xa8") || json.substr(i).starts_with("\xe2\x80\xa9")) {
      result += json[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
      i += 2;
    } else {
      result += c;
    }
  }
  return result;
}

std::string base64(std::string_view bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  result.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](size_t at) { return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0u; };
    const unsigned three = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    for (size_t d = 0; d < 4; ++d) result += i + d <= bytes.size() || d < 2 ? digits[three >> (18 - 6 * d) & 63] : '=';
  }
  return result;
}

void Html::begin(std::string_view tag, const Attributes& attributes) {
  markup_.append("<").append(tag);
  for (const auto& [name, value] : attributes) markup_.append(" ").append(name).append("=\"").append(escaped(value)).append("\"");
}

Html& Html::open(std::string_view tag, const Attributes& attributes) {
  begin(tag, attributes);
  markup_ += ">";
  opened_.emplace_back(tag);
  return *this;
}

Html& Html::single(std::string_view tag, const Attributes& attributes) {
  begin(tag, attributes);
  markup_ += "/>";  // within <svg> the slash is what ends the element
  return *this;
}

Html& Html::close() {
  check(!opened_.empty(), ErrorKind::machine, "[report] closes an element that was not opened");
  markup_.append("</").append(opened_.back()).append(">");
  opened_.pop_back();
  return *this;
}

Html& Html::text(std::string_view text) {
  markup_ += escaped(text);
  return *this;
}

Html& Html::element(std::string_view tag, std::string_view text, const Attributes& attributes) {
  return open(tag, attributes).text(text).close();
}

Html& Html::written(std::string_view text) { return element("bdi", text); }

Html& Html::raw(std::string_view markup) {
  markup_ += markup;
  return *this;
}

std::string Html::take() {
  check(opened_.empty(), ErrorKind::machine, "[report] {} is not closed", opened_.empty() ? "" : opened_.back());
  return std::move(markup_);
}

}  // namespace negativa
