#include "base/sha256.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <vector>

#include "base/files.h"
#include "base/names.h"
#include "temporary_folder.h"

namespace negativa {

TEST(Sha256, GivesThePublishedDigests) {  // FIPS 180-4 examples (csrc.nist.gov, SHA256.pdf)
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, DoesNotDependOnHowTheStreamIsCut) {
  std::vector<uint8_t> bytes(1000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  for (size_t step = 1; step < 200; step += 3) {
    Sha256 hash;
    for (size_t i = 0; i < bytes.size(); i += step) hash.update(std::span(bytes).subspan(i, std::min(step, bytes.size() - i)));
    ASSERT_EQ(hash.hex(), sha256_hex(bytes)) << step;
  }
}

TEST(Sha256, AStreamThatHasEndedTakesNoMoreBytes) {
  Sha256 hash;
  hash.update("abc");
  EXPECT_EQ(hash.hex(), sha256_hex("abc"));
  EXPECT_TRUE(contains(error_of(ErrorKind::machine, [&] { hash.update("d"); }), "after the stream's end"));
  EXPECT_TRUE(contains(error_of(ErrorKind::machine, [&] { hash.hex(); }), "ended already"));
}

class HashCache : public testing::Test {
 protected:
  // 8 MB, large enough to be worth remembering, last changed at that many seconds after 1970.
  void write(char filling, time_t seconds) {
    write_atomically(file, std::string(8 << 20, filling));
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  }

  TemporaryFolder folder;
  std::filesystem::path file = folder / "big.safetensors";
  Hashing hashing{folder / "cache"};
  std::filesystem::path cache = hashing.cache / names::hash_cache;
};

TEST_F(HashCache, RemembersAndNoticesChange) {
  write('a', 1'000'000);
  EXPECT_EQ(known_sha256_file(file, hashing), std::nullopt);
  const std::string first = cached_sha256_file(file, hashing);
  EXPECT_EQ(first, sha256_file(file));
  EXPECT_EQ(known_sha256_file(file, hashing), first);
  // A planted digest shows that the second call did not read the file.
  std::string text = read_file(cache);
  const auto at = text.find(first);
  ASSERT_NE(at, std::string::npos);
  const std::string planted(64, '7');
  write_atomically(cache, text.replace(at, 64, planted));
  EXPECT_EQ(cached_sha256_file(file, hashing), planted);

  write('b', 1'000'000);  // same size and time, another inode
  EXPECT_EQ(known_sha256_file(file, hashing), std::nullopt);
  EXPECT_EQ(cached_sha256_file(file, hashing), sha256_file(file));
  write('c', 1'000'001);
  EXPECT_EQ(cached_sha256_file(file, hashing), sha256_file(file));
}

TEST_F(HashCache, InMemoryKnowsSmallFilesTooUntilTheyChange) {
  HashMemory memory;
  const Hashing remembering{{}, nullptr, &memory};
  const auto write_small = [&](const char* text, time_t seconds) {
    write_atomically(file, text);
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
  };
  write_small("one", 1'000'000);
  CancelToken cancel;
  EXPECT_EQ(cached_sha256_file(file, remembering), sha256_file(file));
  cancel.cancel();
  EXPECT_EQ(cached_sha256_file(file, {{}, &cancel, &memory}), sha256_file(file)) << "known: nothing is read";
  write_small("two", 1'000'001);
  error_of(ErrorKind::cancelled, [&] { cached_sha256_file(file, {{}, &cancel, &memory}); });
  EXPECT_EQ(cached_sha256_file(file, remembering), sha256_file(file));
}

TEST_F(HashCache, ABrokenOrUnwritableCacheIsNoError) {
  write('a', 1'000'000);
  make_folder(cache.parent_path());
  write_atomically(cache, "{ not JSON");
  EXPECT_EQ(cached_sha256_file(file, hashing), sha256_file(file));
  EXPECT_EQ(cached_sha256_file(file, {"/proc/nowhere"}), sha256_file(file));
}

TEST_F(HashCache, ACancelledHashIsNotRemembered) {
  write('a', 1'000'000);
  CancelToken cancel;
  cancel.cancel();
  error_of(ErrorKind::cancelled, [&] { sha256_file(file, &cancel); });
  error_of(ErrorKind::cancelled, [&] { cached_sha256_file(file, {hashing.cache, &cancel}); });
  EXPECT_FALSE(std::filesystem::exists(cache));
  cached_sha256_file(file, hashing);
  EXPECT_EQ(cached_sha256_file(file, {hashing.cache, &cancel}), sha256_file(file));  // known: nothing is read
}

TEST(Sha256, AMissingFileIsTheUsersError) {
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [] { sha256_file("/no/such"); }), "/no/such"));
  error_of(ErrorKind::input, [] { sha256_file("/tmp"); });
}

}  // namespace negativa
