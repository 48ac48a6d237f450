#include "base/derived_seed.h"

#include <fmt/format.h>

#include "base/sha256.h"

namespace negativa {

uint64_t derived_seed(uint64_t seed, std::string_view purpose, uint64_t index) {
  return std::stoull(sha256_hex(fmt::format("{}/{}/{}", seed, purpose, index)).substr(0, 16), nullptr, 16);
}

}  // namespace negativa
