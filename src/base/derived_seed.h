#pragma once
// Many seeds out of one.
#include <cstdint>
#include <string_view>

namespace negativa {

// A seed for one purpose of a run, as ("noise", step): the first eight bytes, big endian, of SHA-256("SEED/PURPOSE/INDEX"),
// numbers in decimal. torch's CPU generator keeps the low 32 bits of a seed only; these are as mixed as all others.
uint64_t derived_seed(uint64_t seed, std::string_view purpose, uint64_t index);

}  // namespace negativa
