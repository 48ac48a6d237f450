#include "base/sha256.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace negativa {

namespace {

// FIPS 180-4, 4.2.2.
alignas(16) constexpr uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

#if defined(__x86_64__)
bool processor_has_sha() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & (1u << 29));
}

// The instructions keep the state as the two vectors (a,b,e,f) and (c,d,g,h), highest element first, and do two rounds at a time:
// Intel, "New Instructions Supporting the Secure Hash Algorithm" (2013), section on SHA256RNDS2.
__attribute__((target("sha,sse4.1"))) void sha256_blocks_accelerated(uint32_t* state, const uint8_t* data, size_t blocks) {
  const __m128i big_endian = _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3);
  __m128i abef = _mm_set_epi32(state[0], state[1], state[4], state[5]);
  __m128i cdgh = _mm_set_epi32(state[2], state[3], state[6], state[7]);
  for (; blocks > 0; --blocks, data += 64) {
    const __m128i abef_before = abef, cdgh_before = cdgh;
    __m128i w[4];  // the last 16 words of the message schedule, four to a vector, as a ring
    for (int i = 0; i < 16; ++i) {
      __m128i& now = w[i % 4];
      if (i < 4) {
        now = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(data + 16 * i)), big_endian);
      } else {
        const __m128i &next = w[(i + 1) % 4], &third = w[(i + 2) % 4], &last = w[(i + 3) % 4];
        now = _mm_add_epi32(_mm_sha256msg1_epu32(now, next), _mm_alignr_epi8(last, third, 4));
        now = _mm_sha256msg2_epu32(now, last);
      }
      const __m128i wk = _mm_add_epi32(now, _mm_load_si128(reinterpret_cast<const __m128i*>(round_constants + 4 * i)));
      cdgh = _mm_sha256rnds2_epu32(cdgh, abef, wk);
      abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(wk, 0x0e));
    }
    abef = _mm_add_epi32(abef, abef_before);
    cdgh = _mm_add_epi32(cdgh, cdgh_before);
  }
  state[0] = _mm_extract_epi32(abef, 3), state[1] = _mm_extract_epi32(abef, 2);
  state[4] = _mm_extract_epi32(abef, 1), state[5] = _mm_extract_epi32(abef, 0);
  state[2] = _mm_extract_epi32(cdgh, 3), state[3] = _mm_extract_epi32(cdgh, 2);
  state[6] = _mm_extract_epi32(cdgh, 1), state[7] = _mm_extract_epi32(cdgh, 0);
}
#else
bool processor_has_sha() { return false; }
void sha256_blocks_accelerated(uint32_t* state, const uint8_t* data, size_t blocks) {
  detail::sha256_blocks_portable(state, data, blocks);
}
#endif

void sha256_blocks(uint32_t* state, const uint8_t* data, size_t blocks) {
  static const bool accelerated = processor_has_sha();
  (accelerated ? sha256_blocks_accelerated : detail::sha256_blocks_portable)(state, data, blocks);
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

namespace detail {
void sha256_blocks_portable(uint32_t* state, const uint8_t* data, size_t blocks) {
  for (; blocks > 0; --blocks, data += 64) {
    uint32_t w[64];  // FIPS 180-4, 6.2.2
    for (int t = 0; t < 16; ++t)
      w[t] = uint32_t{data[4 * t]} << 24 | uint32_t{data[4 * t + 1]} << 16 | uint32_t{data[4 * t + 2]} << 8 | data[4 * t + 3];
    for (int t = 16; t < 64; ++t) {
      const uint32_t s0 = std::rotr(w[t - 15], 7) ^ std::rotr(w[t - 15], 18) ^ (w[t - 15] >> 3);
      const uint32_t s1 = std::rotr(w[t - 2], 17) ^ std::rotr(w[t - 2], 19) ^ (w[t - 2] >> 10);
      w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (int t = 0; t < 64; ++t) {
      const uint32_t sum1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
      const uint32_t t1 = h + sum1 + ((e & f) ^ (~e & g)) + round_constants[t] + w[t];
      const uint32_t sum0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
      const uint32_t t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f, state[6] += g, state[7] += h;
  }
}
}  // namespace detail

void Sha256::update(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return;
  const size_t held = size_bytes_ % 64;
  size_bytes_ += bytes.size();
  if (held > 0) {
    const size_t taken = std::min(bytes.size(), 64 - held);
    std::memcpy(block_.data() + held, bytes.data(), taken);
    bytes = bytes.subspan(taken);
    if (held + taken < 64) return;
    sha256_blocks(state_.data(), block_.data(), 1);
  }
  sha256_blocks(state_.data(), bytes.data(), bytes.size() / 64);
  const auto rest = bytes.subspan(bytes.size() / 64 * 64);
  std::copy(rest.begin(), rest.end(), block_.begin());
}

void Sha256::update(std::string_view bytes) { update({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}); }

std::string Sha256::hex() {
  const uint64_t size_bits = size_bytes_ * 8;
  const size_t held = size_bytes_ % 64;
  std::vector<uint8_t> padding((held < 56 ? 56 : 120) - held, 0);
  padding[0] = 0x80;
  for (int shift = 56; shift >= 0; shift -= 8) padding.push_back(static_cast<uint8_t>(size_bits >> shift));
  update(padding);
  std::string text;
  for (const uint32_t word : state_) text += fmt::format("{:08x}", word);
  return text;
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

bool sha256_is_accelerated() { return processor_has_sha(); }

}  // namespace negativa
