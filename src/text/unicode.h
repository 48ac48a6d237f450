#pragma once
// The few Unicode operations tokenising needs, on UTF-8 text. Tables: ICU.
#include <string>
#include <string_view>

namespace negativa {

// Throws ErrorKind::input naming `where` when the text is not UTF-8.
void check_utf8(std::string_view text, std::string_view where);

// Code point at `at` of valid UTF-8; `at` moves behind it.
char32_t next_code_point(std::string_view text, size_t& at);
void append_utf8(std::string& text, char32_t code_point);

// Lower case of each code point by itself, as the Rust backend does: a final sigma stays U+03C3, U+0130 becomes "i" + U+0307.
char32_t lower(char32_t code_point);
std::string lowercase(std::string_view text);

bool is_space(char32_t code_point);   // property White_Space
bool is_letter(char32_t code_point);  // categories L*
bool is_number(char32_t code_point);  // categories N*

}  // namespace negativa
