#pragma once
// Numbers and counts as sentences of a report show them, and the checks that keep what is no number out of them.
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace negativa {

// Digits after the point that show `scale` (a standard error, half of an interval) with two digits; 0 to 8.
int decimals_for(double scale);

std::string number_text(double value, int decimals);          // "0.42", never "-0.00"
std::string signed_text(double value, int decimals);          // "+0.42"
std::string p_text(double p);                                 // "p = 0.012", "p < 0.001"
std::string percent_text(double share);                       // 0.995 -> "99.5 %", 0.95 -> "95 %"
std::string count_text(size_t count, std::string_view noun);  // "1 prompt", "12 prompts"

// Throws ErrorKind::input, in one line that begins with [statistics], where a value is NaN or infinite, or a share is not in (0,
// 1).
void check_finite(std::span<const double> values, std::string_view what);
void check_between_0_and_1(double share, std::string_view what);

// Whether values differ by no more than rounding: at most 1e-12 of the largest magnitude.
bool all_alike(std::span<const double> values);

}  // namespace negativa
