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

std::optional<std::string> HashMemory::find(const std::string& path, const std::string& state) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(path);
  return found == known_.end() || found->second.first != state ? std::nullopt : std::optional(found->second.second);
}

void HashMemory::keep(const std::string& path, const std::string& state, const std::string& sha256) {
  const std::lock_guard lock(mutex_);
  known_[path] = {state, sha256};
}

namespace {

// An open file as the cache knows it.
struct KnownFile {
  std::string path;
  int64_t size = 0, mtime_ns = 0;
  uint64_t inode = 0;
  bool settled = false;  // no change since then can be invisible

  std::string state() const { return fmt::format("{} {} {}", size, mtime_ns, inode); }
  Json entry(const std::string& sha256) const {
    return {{"size", size}, {"mtime_ns", mtime_ns}, {"inode", inode}, {"sha256", sha256}};
  }
};

std::optional<KnownFile> known_file(int fd, const std::filesystem::path& path) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return {};
  std::error_code ignored;
  return KnownFile{std::filesystem::weakly_canonical(path, ignored).string(), status.st_size, modification_time_ns(status),
                   status.st_ino, status.st_mtim.tv_sec + settled_after_s < std::time(nullptr)};
}

std::optional<std::string> find_in_cache(const std::filesystem::path& cache, const KnownFile& file) {
  const Json entries = read_cache(cache);
  const auto found = entries.find(file.path);
  if (found == entries.end() || !found->is_object() || !found->value("sha256", Json()).is_string()) return {};
  const auto sha256 = found->at("sha256").get<std::string>();
  return sha256.size() == 64 && *found == file.entry(sha256) ? std::optional(sha256) : std::nullopt;
}

void keep_in_cache(const std::filesystem::path& cache, const KnownFile& file, const std::string& sha256) {
  try {
    make_folder(cache.parent_path());
    Json updated = read_cache(cache);  // another process may have added to it meanwhile
    updated[file.path] = file.entry(sha256);
    write_atomically(cache, updated.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
  } catch (const Error&) {  // the next call hashes again
  }
}

bool is_cached(const KnownFile& file, const Hashing& hashing) { return !hashing.cache.empty() && file.size >= cached_from_bytes; }

// In memory, else in the cache folder; what is found there is kept in memory.
std::optional<std::string> find_known(const KnownFile& file, const Hashing& hashing) {
  if (hashing.memory)
    if (auto known = hashing.memory->find(file.path, file.state())) return known;
  auto known = is_cached(file, hashing) ? find_in_cache(hashing.cache / names::hash_cache, file) : std::nullopt;
  if (known && hashing.memory) hashing.memory->keep(file.path, file.state(), *known);
  return known;
}

}  // namespace

std::string cached_sha256_file(const std::filesystem::path& path, const Hashing& hashing) {
  const OpenFile file(path);
  const auto before = known_file(file.fd, path);
  if (!before) return sha256_of(file.fd, path, hashing.cancel);
  if (const auto known = find_known(*before, hashing)) return *known;
  const std::string sha256 = sha256_of(file.fd, path, hashing.cancel);
  const auto after = known_file(file.fd, path);
  if (!before->settled || !after || after->state() != before->state()) return sha256;
  if (hashing.memory) hashing.memory->keep(before->path, before->state(), sha256);
  if (is_cached(*before, hashing)) keep_in_cache(hashing.cache / names::hash_cache, *before, sha256);
  return sha256;
}

std::optional<std::string> known_sha256_file(const std::filesystem::path& path, const Hashing& hashing) {
  const auto file = known_file(OpenFile(path).fd, path);
  return file ? find_known(*file, hashing) : std::nullopt;
}

}  // namespace negativa
