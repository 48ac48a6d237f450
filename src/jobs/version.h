#pragma once
// `negativa version`: which program and libraries these are.
#include <string>

namespace negativa {

struct VersionReport {
  std::string version;               // of the program
  std::string build_type, compiler;  // it was built with: "Release", "GNU 12.2.0"
  std::string libtorch;
  std::string cpu_capability;  // the instruction set libtorch's kernels use here
  std::string processor;
};

VersionReport program_version();

}  // namespace negativa
