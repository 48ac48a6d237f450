#include "stats/words.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace negativa {

int decimals_for(double scale) {
  if (!(scale > 0) || !std::isfinite(scale)) return 2;
  return std::clamp(1 - static_cast<int>(std::floor(std::log10(scale))), 0, 8);
}

std::string number_text(double value, int decimals) {
  const std::string text = fmt::format("{:.{}f}", value, decimals);
  const bool zero = text.find_first_not_of("-0.") == std::string::npos;
  return zero && text[0] == '-' ? text.substr(1) : text;
}

std::string signed_text(double value, int decimals) {
  const std::string text = number_text(value, decimals);
  return text[0] == '-' || text.find_first_not_of("0.") == std::string::npos ? text : "+" + text;
}

std::string p_text(double p) {
  if (p < 0.001) return "p < 0.001";
  return fmt::format("p = {:.{}f}", p, p < 0.01 ? 4 : p < 0.1 ? 3 : 2);
}

std::string percent_text(double share) { return fmt::format("{:.4g} %", share * 100); }

std::string count_text(size_t count, std::string_view noun) { return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s"); }

void check_finite(std::span<const double> values, std::string_view what) {
  for (size_t i = 0; i < values.size(); ++i)
    check(std::isfinite(values[i]), ErrorKind::input,
          "[statistics] {} {} of {} is {}, expected a finite number; try leaving its picture out", what, i + 1, values.size(),
          values[i]);
}

void check_between_0_and_1(double share, std::string_view what) {
  check(share > 0 && share < 1, ErrorKind::input, "[statistics] got {} {}, expected a number between 0 and 1", what, share);
}

bool all_alike(std::span<const double> values) {
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  return least == values.end() || *greatest - *least <= 1e-12 * std::max(std::abs(*least), std::abs(*greatest));
}

}  // namespace negativa
