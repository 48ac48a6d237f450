#include "jobs/version.h"

#include <ATen/Version.h>
#include <torch/headeronly/version.h>

#include "base/recipe.h"

namespace negativa {

VersionReport program_version() {
  return {Recipe::default_program_version(), NEGATIVA_BUILD_TYPE, NEGATIVA_COMPILER, TORCH_VERSION,
          at::get_cpu_capability(),          processor_name()};
}

}  // namespace negativa
