#include "text/unicode.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "base/error.h"

namespace negativa {

void check_utf8(std::string_view text, std::string_view where) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto length = static_cast<int32_t>(text.size());
  for (int32_t at = 0; at < length;) {
    const int32_t begin = at;
    UChar32 code_point;
    U8_NEXT(bytes, at, length, code_point);
    check(code_point >= 0, ErrorKind::input,
          "[{}] got a text that is not UTF-8 (byte {}), expected UTF-8; save or type it as UTF-8", where, begin);
  }
}

char32_t next_code_point(std::string_view text, size_t& at) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  UChar32 code_point;
  U8_NEXT_UNSAFE(bytes, at, code_point);
  return static_cast<char32_t>(code_point);
}

void append_utf8(std::string& text, char32_t code_point) {
  uint8_t bytes[U8_MAX_LENGTH];
  int32_t length = 0;
  U8_APPEND_UNSAFE(bytes, length, static_cast<UChar32>(code_point));
  text.append(reinterpret_cast<const char*>(bytes), length);
}

char32_t lower(char32_t code_point) { return static_cast<char32_t>(u_tolower(static_cast<UChar32>(code_point))); }

std::string lowercase(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const char32_t code_point = next_code_point(text, at);
    append_utf8(result, lower(code_point));
    if (code_point == U'\u0130') append_utf8(result, U'\u0307');  // the one lower case of two code points in every language
  }
  return result;
}

bool is_space(char32_t code_point) { return u_isUWhiteSpace(static_cast<UChar32>(code_point)); }
bool is_letter(char32_t code_point) { return U_GET_GC_MASK(static_cast<UChar32>(code_point)) & U_GC_L_MASK; }
bool is_number(char32_t code_point) { return U_GET_GC_MASK(static_cast<UChar32>(code_point)) & U_GC_N_MASK; }

}  // namespace negativa
