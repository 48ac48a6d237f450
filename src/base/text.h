#pragma once
// Small functions on text that several rooms need.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace negativa {

// Bytes that are not UTF-8 become U+FFFD.
std::u32string code_points(std::string_view utf8);
std::string utf8_from(std::u32string_view code_points);
std::string valid_utf8(std::string_view bytes);
std::string utf8_from_latin1(std::string_view latin1);
std::optional<std::string> latin1_from_utf8(std::string_view utf8);  // absent: not UTF-8, or a character above U+00FF

// Canonical composition: "e" + U+0301 -> "é" (Unicode Standard Annex 15, form C). What is not UTF-8 comes back as it is.
std::string nfc(std::string_view text);

// The whole text as a finite number, "1", "+.5" or "1e-3" in every locale; absent: it is none, or one that a double cannot hold.
std::optional<double> number_from(std::string_view text);

std::string_view trimmed(std::string_view text);  // without spaces, tabs and line ends around it

std::string ascii_lower(std::string_view text);  // A to Z alone, whatever the locale

// The candidate with the smallest edit distance (Levenshtein), if it is near enough to be a slip of the keyboard.
std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string> candidates);

// "; did you mean X?" or nothing: the end of an error message.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

// "a,,b" -> "a", "", "b"; an empty text is one empty part.
std::vector<std::string> split(std::string_view text, char separator);
std::string joined(std::span<const std::string> parts, std::string_view separator);

}  // namespace negativa
