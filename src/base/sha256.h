#pragma once
// SHA-256 (FIPS 180-4) by OpenSSL's libcrypto, which uses the processor's SHA instructions where it has them.
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/cancel.h"

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace negativa {

// A stream of bytes, hashed as they come. Not copied; one thread at a time. Throws ErrorKind::machine when libcrypto cannot hash.
class Sha256 {
 public:
  Sha256();
  void update(std::span<const uint8_t> bytes);
  void update(std::string_view bytes);
  std::string hex();  // 64 lower-case digits; ends the stream: another update or hex throws

 private:
  struct FreeContext {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, FreeContext> context_;
};

std::string sha256_hex(std::span<const uint8_t> bytes);
std::string sha256_hex(std::string_view bytes);

// Throws ErrorKind::input when the file cannot be opened, ErrorKind::machine when it cannot be read. `cancel` is asked before
// each MiB: a model of full size takes seconds to minutes.
std::string sha256_file(const std::filesystem::path& path, const CancelToken* cancel = nullptr);

// Hashes that a process has come to know, by the path and state (size, time, inode) of the file. Safe from several threads.
class HashMemory {
 public:
  std::optional<std::string> find(const std::string& path, const std::string& state) const;
  void keep(const std::string& path, const std::string& state, const std::string& sha256);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::pair<std::string, std::string>> known_;  // path -> state, hash
};

// How files are hashed whose hashes are remembered.
struct Hashing {
  std::filesystem::path cache;  // Places::cache, from run to run; empty: nothing is remembered there
  const CancelToken* cancel = nullptr;
  HashMemory* memory = nullptr;  // within this process
};

// The same, remembered under (path, size, modification time in ns, inode) in memory and in the cache folder. In the folder only
// large files are; a cache that cannot be read or written only costs time.
std::string cached_sha256_file(const std::filesystem::path& path, const Hashing& hashing);

// What cached_sha256_file would give without reading the file: nothing where no one has hashed it in its present state.
std::optional<std::string> known_sha256_file(const std::filesystem::path& path, const Hashing& hashing);

}  // namespace negativa
