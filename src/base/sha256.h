#pragma once
// SHA-256 (FIPS 180-4), with the processor's SHA instructions where it has them.
#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/cancel.h"

namespace negativa {

class Sha256 {
 public:
  void update(std::span<const uint8_t> bytes);
  void update(std::string_view bytes);
  std::string hex();  // 64 lower-case digits; ends the stream

 private:
  std::array<uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<uint8_t, 64> block_{};
  uint64_t size_bytes_ = 0;
};

std::string sha256_hex(std::span<const uint8_t> bytes);
std::string sha256_hex(std::string_view bytes);

// Throws ErrorKind::input when the file cannot be opened, ErrorKind::machine when it cannot be read. `cancel` is asked before
// each MiB: a model of full size takes seconds to minutes.
std::string sha256_file(const std::filesystem::path& path, const CancelToken* cancel = nullptr);

// How files are hashed whose hashes are remembered.
struct Hashing {
  std::filesystem::path cache;  // Places::cache; empty: nothing is remembered
  const CancelToken* cancel = nullptr;
};

// The same, remembered in the cache folder under (path, size, modification time in ns, inode). Small files are simply hashed; a
// cache that cannot be read or written only costs time.
std::string cached_sha256_file(const std::filesystem::path& path, const Hashing& hashing);

// True when update() uses the processor's SHA instructions.
bool sha256_is_accelerated();

namespace detail {  // for the test that both paths agree
void sha256_blocks_portable(uint32_t* state, const uint8_t* data, size_t blocks);
}

}  // namespace negativa
