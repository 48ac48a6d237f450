#pragma once
// Goldens of tests/golden and the bundled model, as the tests of several rooms read them.
#include "base/files.h"
#include "io/model_files.h"
#include "io/safetensors.h"

namespace negativa::test {

inline std::filesystem::path source_folder() { return NEGATIVA_SOURCE_DIR; }
inline std::shared_ptr<const SafetensorsFile> golden(const std::string& name) {
  return SafetensorsFile::open(source_folder() / "tests/golden" / (name + ".safetensors"));
}
// Models by name are the repository's; nothing is kept between tests.
inline Places places() { return {.models = source_folder() / "no-models-of-a-user", .bundled = source_folder() / "models"}; }
inline std::filesystem::path bundled_model() { return source_folder() / "models/emoji-xl"; }

// ||a - b|| / ||b||
inline double relative_error(const Tensor& a, const Tensor& b) {
  check_shape("compared", a, shape_of(b));
  return ((a.to(at::kDouble) - b.to(at::kDouble)).norm() / b.to(at::kDouble).norm()).item<double>();
}

}  // namespace negativa::test
