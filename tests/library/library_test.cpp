#include "library/library.h"

#include "base/files.h"
#include "base/temporary_folder.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {
void ignore(const std::string&) {}
}  // namespace

TEST(Library, KeepsItsNameAndSecrets) {
  TemporaryFolder folder;
  std::string id;
  int made = 0;
  const auto make = [&] { return std::string(31, 'a') + std::to_string(made++); };
  LibraryAccess first;
  {
    const Library library(folder / "library", {}, ignore);
    id = library.id();
    first = library.access(false, make);
    EXPECT_NE(first.cookie, first.tools_token);
  }
  const Library library(folder / "library", {}, ignore);
  EXPECT_EQ(library.id(), id);
  EXPECT_EQ(library.access(false, make).tools_token, first.tools_token);
  const fs::path file = folder / "library/access.json";
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  const auto renewed = library.access(true, make);
  EXPECT_NE(renewed.tools_token, first.tools_token);
  EXPECT_NE(renewed.cookie, first.cookie);
  fs::permissions(file, fs::perms::group_read, fs::perm_options::add);
  EXPECT_NE(library.access(false, make).cookie, renewed.cookie);  // what others could read is no secret any more
}

TEST(Library, KeepsItsIndexInTheCacheWhereItsDiskCannotHoldOne) {
  TemporaryFolder folder;
  const auto is_network_disk = [](const fs::path&) { return false; };
  std::string name, id;
  {
    Library library(folder / "library", folder / "cache", ignore, is_network_disk);
    id = library.id();
    name = library.gallery().import("a.png", encode_png(Image8::filled(8, 8, white))).name;
  }
  EXPECT_FALSE(fs::exists(folder / "library/index.sqlite"));
  EXPECT_TRUE(fs::exists(folder.path() / "cache/library" / id / "index.sqlite"));
  fs::remove_all(folder / "cache");  // it is made anew from the files
  Library library(folder / "library", folder / "cache", ignore, is_network_disk);
  EXPECT_EQ(library.gallery().search({}).pictures.at(0).name, name);
}

TEST(Library, IsForOneStudioAtATime) {
  TemporaryFolder folder;
  const Library first(folder / "library", {}, ignore);
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { Library(folder / "library", {}, ignore); }), "another studio"));
}

TEST(Library, RemovesWhatWasNeverFinished) {
  TemporaryFolder folder;
  { const Library library(folder / "library", {}, ignore); }
  fs::create_directories(folder / "library/pictures/000001");
  for (const char* name :
       {"pictures/000001/.0000.png.tmp-7-0", "jobs/.000001.json.tmp-7-1", "uploads/upload-3", "lora/.a.safetensors.tmp-7-2"})
    write_atomically(folder.path() / "library" / name, "half");
  const Library library(folder / "library", {}, ignore);
  for (const char* name : {"pictures/000001", "jobs", "uploads", "lora"})
    EXPECT_TRUE(fs::is_empty(folder.path() / "library" / name)) << name;
}

TEST(Library, OfALaterProgramIsLeftAlone) {
  TemporaryFolder folder;
  { const Library library(folder / "library", {}, ignore); }
  write_atomically(folder / "library/library.json", "{\"id\": \"0123abcd\", \"layout\": 2}");
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { Library(folder / "library", {}, ignore); }), "later program"));
  write_atomically(folder / "library/library.json", "{\"id\": \"../x; Pa\", \"layout\": 1}");
  error_of(ErrorKind::file_format, [&] { Library(folder / "library", {}, ignore); });
}

}  // namespace negativa
