#include "io/pickle_text.h"

#include <charconv>

namespace negativa {

namespace {

[[noreturn]] void fail_on(const std::string& where, const char* what) {
  fail(ErrorKind::file_format, "[{}] got a pickle with {}; the file is damaged", where, what);
}

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// `digits` hexadecimal ones at `at`, which moves behind them.
uint32_t hex(std::string_view text, size_t& at, size_t digits, const std::string& where) {
  if (digits > text.size() - at) fail_on(where, "an escape that does not end");
  uint32_t value = 0;
  for (size_t i = 0; i < digits; ++i, ++at) {
    const int digit = hex_digit(text[at]);
    if (digit < 0) fail_on(where, "an escape that is no hexadecimal number");
    value = value << 4 | static_cast<uint32_t>(digit);
  }
  return value;
}

void append_utf8(std::string& text, uint32_t point) {
  const auto put = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (point < 0x80) return put(point);
  if (point < 0x800) return put(0xc0 | point >> 6), put(0x80 | (point & 0x3f));
  if (point < 0x10000) return put(0xe0 | point >> 12), put(0x80 | (point >> 6 & 0x3f)), put(0x80 | (point & 0x3f));
  put(0xf0 | (point >> 18 & 7)), put(0x80 | (point >> 12 & 0x3f)), put(0x80 | (point >> 6 & 0x3f)), put(0x80 | (point & 0x3f));
}

char plain_escape(char letter, const std::string& where) {
  constexpr std::string_view letters = "abfnrtv\\'\"", meanings = "\a\b\f\n\r\t\v\\'\"";
  const auto found = letters.find(letter);
  if (found == letters.npos) fail_on(where, "an escape that is not known");
  return meanings[found];
}

}  // namespace

PickleValue pickle_integer(std::string_view decimal, const std::string& where) {
  const auto digits = decimal.substr(decimal.starts_with('-') ? 1 : 0);
  if (digits.empty() || digits.find_first_not_of("0123456789") != digits.npos) fail_on(where, "an integer that is none");
  int64_t value = 0;
  const auto read = std::from_chars(decimal.data(), decimal.data() + decimal.size(), value);
  if (read.ec == std::errc{}) return value;
  return PickleBigInt{std::string(decimal)};
}

PickleValue pickle_long(std::string_view bytes) {
  if (bytes.size() > 8) return PickleBigInt{std::string(bytes)};
  uint64_t value = !bytes.empty() && static_cast<uint8_t>(bytes.back()) >= 0x80 ? ~uint64_t{0} : 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return static_cast<int64_t>(value);
}

double pickle_float(std::string_view decimal, const std::string& where) {
  double value = 0;
  const auto read = std::from_chars(decimal.data(), decimal.data() + decimal.size(), value);
  if (read.ec != std::errc{} || read.ptr != decimal.data() + decimal.size()) fail_on(where, "a number that is none");
  return value;
}

uint64_t pickle_index(std::string_view decimal, const std::string& where) {
  uint64_t value = 0;
  const auto read = std::from_chars(decimal.data(), decimal.data() + decimal.size(), value);
  if (read.ec != std::errc{} || read.ptr != decimal.data() + decimal.size()) fail_on(where, "an index that is none");
  return value;
}

std::string pickle_string(std::string_view quoted, const std::string& where) {
  const bool whole = quoted.size() >= 2 && quoted.front() == quoted.back() && (quoted.front() == '\'' || quoted.front() == '"');
  if (!whole) fail_on(where, "a string without quotes");
  quoted = quoted.substr(1, quoted.size() - 2);
  std::string text;
  for (size_t at = 0; at < quoted.size();) {
    const char letter = quoted[at++];
    if (letter != '\\') {
      text += letter;
      continue;
    }
    if (at == quoted.size()) fail_on(where, "an escape that does not end");
    const char escape = quoted[at++];
    text += escape == 'x' ? static_cast<char>(hex(quoted, at, 2, where)) : plain_escape(escape, where);
  }
  return text;
}

std::string pickle_raw_unicode(std::string_view escaped, const std::string& where) {
  std::string text;
  for (size_t at = 0; at < escaped.size();) {
    const char letter = escaped[at++];
    const char next = at < escaped.size() ? escaped[at] : '\0';
    if (letter != '\\' || (next != 'u' && next != 'U')) {
      append_utf8(text, static_cast<uint8_t>(letter));
      continue;
    }
    const uint32_t point = hex(escaped, ++at, next == 'u' ? 4 : 8, where);
    if (point > 0x10ffff) fail_on(where, "an escape beyond Unicode");
    append_utf8(text, point);
  }
  return text;
}

std::string latin1_bytes(std::string_view utf8, const std::string& where) {
  std::string bytes;
  for (size_t at = 0; at < utf8.size(); ++at) {
    const auto first = static_cast<uint8_t>(utf8[at]);
    if (first < 0x80) {
      bytes += static_cast<char>(first);
      continue;
    }
    const auto second = at + 1 < utf8.size() ? static_cast<uint8_t>(utf8[at + 1]) : uint8_t{0};
    if (first < 0xc2 || first > 0xc3 || (second & 0xc0) != 0x80) fail_on(where, "text that is not Latin-1");
    bytes += static_cast<char>((first & 3) << 6 | (second & 0x3f));
    ++at;
  }
  return bytes;
}

}  // namespace negativa
