#pragma once
// Where the goldens of tools/goldens_text.py are: tests/golden, or the folder of a live comparison in $NEGATIVA_GOLDEN.
#include <cstdlib>
#include <filesystem>

inline std::filesystem::path source_path(const std::string& name) { return std::filesystem::path(NEGATIVA_SOURCE_DIR) / name; }

inline std::filesystem::path golden_path(const std::string& name) {
  const char* folder = std::getenv("NEGATIVA_GOLDEN");
  return (folder ? std::filesystem::path(folder) : source_path("tests/golden")) / name;
}
