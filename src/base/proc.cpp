#include "base/proc.h"

#include <fstream>

namespace negativa {

std::string value_after(const char* file, std::string_view key) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(key)) continue;
    const auto begin = line.find_first_not_of(" \t", line.find(':') + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

uint64_t bytes_after(const char* file, std::string_view key) {
  const std::string kibibytes = value_after(file, key);
  return kibibytes.empty() ? 0 : std::stoull(kibibytes) * 1024;
}

}  // namespace negativa
