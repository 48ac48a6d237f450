#include "base/sha256.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"

namespace negativa {

namespace {

void check_libcrypto(bool done) {
  if (done) return;
  std::array<char, 256> reason{};
  ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
  fail(ErrorKind::machine, "[sha256] libcrypto cannot hash: {}; does its configuration (OPENSSL_CONF) switch SHA-256 off?",
       reason.data());
}

constexpr size_t read_size_bytes = 1 << 20;

struct OpenFile {
  int fd;
  explicit OpenFile(const std::filesystem::path& path) : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    check(fd >= 0, ErrorKind::input, "[{}] cannot be opened: {}", path.string(), std::strerror(errno));
  }
  ~OpenFile() { ::close(fd); }
};

std::string sha256_of(int fd, const std::filesystem::path& path, const CancelToken* cancel) {
  Sha256 hash;
  std::vector<uint8_t> buffer(read_size_bytes);
  while (true) {
    if (cancel) cancel->throw_if_cancelled();
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    check(got >= 0, errno == EISDIR ? ErrorKind::input : ErrorKind::machine, "[{}] cannot be read: {}", path.string(),
          std::strerror(errno));
    if (got == 0) return hash.hex();
    hash.update(std::span(buffer.data(), static_cast<size_t>(got)));
  }
}

// Below this size hashing is faster than looking up.
constexpr int64_t cached_from_bytes = 4 << 20;
// A file written to so recently could change again without a visible change of its modification time.
constexpr int64_t settled_after_s = 2;

Json read_cache(const std::filesystem::path& cache) {
  try {
    Json entries = read_json_file(cache);
    if (entries.is_object()) return entries;
  } catch (const Error&) {  // absent or damaged: begin again
  }
  return Json::object();
}

int64_t modification_time_ns(const struct stat& status) {
  return static_cast<int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
}

}  // namespace

void Sha256::FreeContext::operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  check_libcrypto(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::update(std::span<const uint8_t> bytes) {
  check(context_ != nullptr, ErrorKind::machine, "[sha256] got bytes after the stream's end, expected a new stream");
  check_libcrypto(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

void Sha256::update(std::string_view bytes) { update({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}); }

std::string Sha256::hex() {
  check(context_ != nullptr, ErrorKind::machine, "[sha256] the stream has ended already; keep what hex() gave");
  std::array<uint8_t, 32> digest{};
  check_libcrypto(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
  context_.reset();  // not every libcrypto refuses more bytes
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

std::string sha256_hex(std::span<const uint8_t> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}

std::string sha256_hex(std::string_view bytes) {
  return sha256_hex(std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}

std::string sha256_file(const std::filesystem::path& path, const CancelToken* cancel) {
  return sha256_of(OpenFile(path).fd, path, cancel);
}

std::string cached_sha256_file(const std::filesystem::path& path, const Hashing& hashing) {
  const OpenFile file(path);
  struct stat before {
  }, after{};
  const auto cache = hashing.cache.empty() ? hashing.cache : hashing.cache / names::hash_cache;
  if (fstat(file.fd, &before) != 0 || !S_ISREG(before.st_mode) || before.st_size < cached_from_bytes || cache.empty())
    return sha256_of(file.fd, path, hashing.cancel);

  std::error_code ignored;
  const std::string key = std::filesystem::weakly_canonical(path, ignored).string();
  Json wanted = {{"size", before.st_size}, {"mtime_ns", modification_time_ns(before)}, {"inode", before.st_ino}};
  const Json entries = read_cache(cache);
  if (const auto found = entries.find(key); found != entries.end() && found->is_object()) {
    wanted["sha256"] = found->value("sha256", Json());
    if (*found == wanted && wanted["sha256"].is_string() && wanted["sha256"].get_ref<const std::string&>().size() == 64)
      return wanted["sha256"];
  }

  wanted["sha256"] = sha256_of(file.fd, path, hashing.cancel);
  const bool settled = before.st_mtim.tv_sec + settled_after_s < std::time(nullptr);
  if (!settled || fstat(file.fd, &after) != 0 || modification_time_ns(after) != modification_time_ns(before))
    return wanted["sha256"];
  try {
    make_folder(cache.parent_path());
    Json updated = read_cache(cache);  // another process may have added to it meanwhile
    updated[key] = wanted;
    write_atomically(cache, updated.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  } catch (const Error&) {  // the next call hashes again
  }
  return wanted["sha256"];
}

}  // namespace negativa
