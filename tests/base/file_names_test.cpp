#include "base/file_names.h"

#include "base/files.h"
#include "base/text.h"
#include "temporary_folder.h"

namespace negativa {

namespace {
const std::string composed = "caf\xc3\xa9", decomposed = "cafe\xcc\x81";  // é as one code point and, as macOS stores it, as two
}  // namespace

TEST(Text, NfcComposesAndLeavesOtherBytesAlone) {
  EXPECT_EQ(nfc(decomposed), composed);
  EXPECT_EQ(nfc(composed), composed);
  EXPECT_EQ(nfc("plain"), "plain");
  EXPECT_EQ(nfc("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab"), "\xed\x95\x9c");  // Hangul
  EXPECT_EQ(nfc("caf\xe9"
                "e\xcc\x81"),
            "caf\xe9"
            "e\xcc\x81");  // no UTF-8
}

TEST(FileNames, AreTheSameInEitherForm) {
  EXPECT_TRUE(same_name(composed, decomposed));
  EXPECT_FALSE(same_name(composed, "cafe"));
  EXPECT_FALSE(same_name("a\xe9", "a\xe8"));  // Latin-1: bytes that only look broken alike
  EXPECT_EQ(lower_extension("dir.PNG/x.Jpeg"), ".jpeg");
  EXPECT_EQ(lower_extension("dir.png/x"), "");
}

TEST(FileNames, LeadToWhatIsStoredUnderThem) {
  const TemporaryFolder folder;
  make_folder(folder / decomposed);
  write_atomically(folder.path() / decomposed / (decomposed + ".png"), "x");
  const auto stored = folder.path() / decomposed / (decomposed + ".png");
  EXPECT_EQ(stored_path(folder.path() / composed / (composed + ".png")), stored);
  EXPECT_EQ(stored_path(stored), stored);
  EXPECT_EQ(stored_path(folder.path() / composed / ""), folder.path() / decomposed / "");
  for (const auto& absent : {folder.path() / composed / "other.png", folder / "nowhere/x", std::filesystem::path(),
                             std::filesystem::path("/"), std::filesystem::path("caf\xe9")})
    EXPECT_EQ(stored_path(absent), absent);
}

TEST(FileNames, OfExactlyTheseBytesComeFirst) {
  const TemporaryFolder folder;
  for (const auto& name : {composed, decomposed}) write_atomically(folder / name, name);
  EXPECT_EQ(stored_path(folder / composed), folder / composed);
  EXPECT_EQ(stored_path(folder / decomposed), folder / decomposed);
}

TEST(FileNames, AFolderIsListedOnce) {
  const TemporaryFolder folder;
  write_atomically(folder / decomposed, "x");
  StoredNames names;
  EXPECT_EQ(names.path_of(folder / composed), folder / decomposed);
  write_atomically(folder / "la\xcc\x8a", "x");
  EXPECT_EQ(names.path_of(folder / "l\xc3\xa5"), folder / "l\xc3\xa5");
  EXPECT_EQ(stored_path(folder / "l\xc3\xa5"), folder / "la\xcc\x8a");
}

TEST(LastName, IsThatOfFileOrFolder) {
  EXPECT_EQ(last_name("a/wrong.safetensors"), "wrong.safetensors");
  EXPECT_EQ(last_name("a/lora/"), "lora");
  EXPECT_EQ(last_name("a/lora/."), "lora");
  EXPECT_EQ(last_name("."), std::filesystem::current_path().filename());
}

}  // namespace negativa
