#include "base/files.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <numeric>

#include "temporary_folder.h"

namespace negativa {

TEST(WriteAtomically, ReplacesTheWholeFileAndLeavesNothingBeside) {
  const TemporaryFolder folder;
  write_atomically(folder / "a.txt", "first, longer");
  write_atomically(folder / "a.txt", "second");
  EXPECT_EQ(read_file(folder / "a.txt"), "second");
  EXPECT_EQ(folder.count_files(), 1u);
}

TEST(WriteAtomically, KeepsTheOldFileWhenTheWriterThrows) {
  const TemporaryFolder folder;
  write_atomically(folder / "a.txt", "old");
  EXPECT_THROW(write_atomically(folder / "a.txt",
                                [](int fd) {
                                  write_all(fd, "half", "a.txt");
                                  throw std::runtime_error("power cut");
                                }),
               std::runtime_error);
  EXPECT_EQ(read_file(folder / "a.txt"), "old");
  EXPECT_EQ(folder.count_files(), 1u);
}

TEST(WriteAtomically, SaysDiskFullAndRemovesItsTemporaryWhenTheFileMayNotGrow) {
  const TemporaryFolder folder;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    write_atomically(folder / "a.bin", std::string(100'000, 'x'));
  } catch (const Error& error) {
    message = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::machine);
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_TRUE(contains(message, "disk full")) << message;
  EXPECT_EQ(folder.count_files(), 0u);
}

TEST(WriteAtomically, ADeviceIsWrittenToAndNotReplaced) {
  EXPECT_TRUE(contains(error_of(ErrorKind::machine, [] { write_atomically("/dev/full", "x"); }), "disk full"));
  write_atomically("/dev/null", "x");
  struct stat status {};
  ASSERT_EQ(::stat("/dev/null", &status), 0);
  EXPECT_TRUE(S_ISCHR(status.st_mode));
}

TEST(WriteAtomically, NamesTheFolderThatIsMissing) {
  const TemporaryFolder folder;
  const auto write = [](const std::filesystem::path& path) {
    return error_of(ErrorKind::input, [&] { write_atomically(path, "x"); });
  };
  EXPECT_TRUE(contains(write(folder / "no/such/a.txt"), (folder / "no/such").string() + " does not exist"));
  EXPECT_TRUE(contains(write(folder.path()), "is a folder"));
  EXPECT_TRUE(contains(write(folder / "a/"), "is a folder's name"));
  EXPECT_TRUE(contains(write(""), "empty file name"));
  write_atomically(folder / "file", "x");
  EXPECT_TRUE(contains(write(folder / "file/a.txt"), "does not exist"));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { check_can_write(folder / "no/a.txt"); }), "does not exist"));
  check_can_write(folder / "b.txt");
  EXPECT_EQ(folder.count_files(), 1u);
}

TEST(WriteAtomically, FollowsLinksAndHonoursTheUmask) {
  const TemporaryFolder folder;
  write_atomically(folder / "target.txt", "old");
  std::filesystem::create_symlink("target.txt", folder / "link.txt");
  write_atomically(folder / "link.txt", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link.txt"));
  EXPECT_EQ(read_file(folder / "target.txt"), "new");
  const mode_t mask = ::umask(0027);
  write_atomically(folder / "masked.txt", "x");
  ::umask(mask);
  struct stat status {};
  ASSERT_EQ(::stat((folder / "masked.txt").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(WriteAtomically, WritesNamesOf255Bytes) {
  const TemporaryFolder folder;
  const std::string name(255, 'n');
  write_atomically(folder / name, "x");
  EXPECT_EQ(read_file(folder / name), "x");
}

TEST(ReadFile, RefusesFoldersMissingAndOversizedFiles) {
  const TemporaryFolder folder;
  write_atomically(folder / "a", std::string(1000, 'x'));
  EXPECT_EQ(read_file(folder / "a", 1000).size(), 1000u);
  EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { read_file(folder / "a", 999); }), "over 999 bytes"));
  EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { read_file("/dev/zero", 100'000); }), "over 100000 bytes"));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { read_file(folder.path()); }), "is a folder"));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { read_file(folder / "b"); }), "No such file"));
  EXPECT_GT(read_file("/proc/self/status").size(), 100u);  // a file that says it has no bytes
}

TEST(MappedFile, SharesTheFilesBytesAndReadsDroppedPagesAgain) {
  const TemporaryFolder folder;
  std::string bytes(100'000, 0);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 13 / 7);
  write_atomically(folder / "a", bytes);
  MappedFile first(folder / "a");
  MappedFile map = std::move(first);
  EXPECT_EQ(first.size(), 0u);
  ASSERT_EQ(map.size(), bytes.size());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(map.data()), map.size()), bytes);
    map.drop_pages(10, map.size());
  }
  write_atomically(folder / "empty", "");
  EXPECT_EQ(MappedFile(folder / "empty").size(), 0u);
  error_of(ErrorKind::input, [&] { MappedFile{folder.path()}; });
  error_of(ErrorKind::input, [&] { MappedFile{folder / "none"}; });
}

TEST(MappedFileDeathTest, AFileThatShrinksEndsTheProgramWithOneLine) {
  const TemporaryFolder folder;
  write_atomically(folder / "model.safetensors", std::string(1 << 20, 'x'));
  EXPECT_EXIT(
      {
        install_bus_error_handler();
        const MappedFile map(folder / "model.safetensors");
        if (::truncate((folder / "model.safetensors").c_str(), 10) != 0) _exit(9);
        const volatile uint8_t* data = map.data();
        _exit(data[map.size() - 1]);
      },
      testing::ExitedWithCode(2), "model.safetensors\\] shrank while it was being read");
}

TEST(WriteFolder, IsThereWholeOrNotAtAll) {
  const TemporaryFolder folder;
  EXPECT_THROW(write_folder_atomically(folder / "model",
                                       [](const std::filesystem::path& inside) {
                                         write_atomically(inside / "a.txt", "half");
                                         throw std::runtime_error("power cut");
                                       }),
               std::runtime_error);
  EXPECT_EQ(folder.count_files(), 0u);
  write_folder_atomically(folder / "model/", [&](const std::filesystem::path& inside) {
    make_folder(inside / "unet");
    write_atomically(inside / "unet/a.txt", "whole");
    EXPECT_FALSE(std::filesystem::exists(folder / "model"));
  });
  EXPECT_EQ(read_file(folder / "model/unet/a.txt"), "whole");
  EXPECT_EQ(folder.count_files(), 1u);
}

TEST(WriteFolder, ReplacesFilesOfItsNamesAndKeepsOthers) {
  const TemporaryFolder folder;
  make_folder(folder / "model/unet");
  for (const char* name : {"model/unet/a.txt", "model/unet/b.txt"}) write_atomically(folder / name, "old");
  write_folder_atomically(folder / "model", [](const std::filesystem::path& inside) {
    make_folder(inside / "unet");
    write_atomically(inside / "unet/a.txt", "new");
  });
  EXPECT_EQ(read_file(folder / "model/unet/a.txt"), "new");
  EXPECT_EQ(read_file(folder / "model/unet/b.txt"), "old");
  EXPECT_EQ(folder.count_files(), 1u);
}

// Whoever looks while it is written, and after an error half-way, sees the old folder whole.
TEST(WriteFolder, ReplacesAtOnceAndLeavesTheOldOneWholeWhenItFails) {
  const TemporaryFolder folder;
  make_folder(folder / "model/unet");
  for (const char* name : {"model/a.txt", "model/unet/b.txt", "model/z.txt"}) write_atomically(folder / name, "old");
  const auto is_old = [&] {
    for (const char* name : {"model/a.txt", "model/unet/b.txt", "model/z.txt"})
      if (read_file(folder / name) != "old") return false;
    return true;
  };
  const auto write = [&](const std::filesystem::path& inside, bool fails) {
    write_atomically(inside / "a.txt", "new");
    make_folder(inside / "unet");
    if (fails) throw std::runtime_error("power cut");
    write_atomically(inside / "z.txt", "new");
    EXPECT_TRUE(is_old());
  };
  EXPECT_THROW(write_folder_atomically(folder / "model", [&](const auto& inside) { write(inside, true); }), std::runtime_error);
  EXPECT_TRUE(is_old());
  // Through a link, and with the old folder's permissions.
  const auto before = std::filesystem::status(folder / "model").permissions();
  std::filesystem::permissions(folder / "model", std::filesystem::perms::group_write, std::filesystem::perm_options::add);
  std::filesystem::create_symlink("model", folder / "link");
  write_folder_atomically(folder / "link", [&](const auto& inside) { write(inside, false); });
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(std::filesystem::status(folder / "model").permissions(), before | std::filesystem::perms::group_write);
  EXPECT_EQ(read_file(folder / "model/a.txt") + read_file(folder / "model/z.txt") + read_file(folder / "model/unet/b.txt"),
            "newnewold");
  EXPECT_EQ(folder.count_files(), 2u);
}

TEST(WriteFolder, KeepsFoldersLinksAndPipesThatItDoesNotReplace) {
  const TemporaryFolder folder;
  make_folder(folder / "model/other/deep");
  write_atomically(folder / "model/other/deep/a.txt", "old");
  std::filesystem::create_symlink("nowhere", folder / "model/link");
  ASSERT_EQ(::mkfifo((folder / "model/pipe").c_str(), 0600), 0);
  write_folder_atomically(folder / "model", [](const auto& inside) { write_atomically(inside / "b.txt", "new"); });
  EXPECT_EQ(read_file(folder / "model/other/deep/a.txt") + read_file(folder / "model/b.txt"), "oldnew");
  EXPECT_EQ(std::filesystem::read_symlink(folder / "model/link"), "nowhere");
  EXPECT_TRUE(std::filesystem::is_fifo(folder / "model/pipe"));
}

TEST(WriteAtomically, RefusesAPipeAndASocketBeforeItWouldWaitForThem) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe.safetensors").c_str(), 0600), 0);
  ASSERT_EQ(::mknod((folder / "socket").c_str(), S_IFSOCK | 0600, 0), 0);
  for (const char* name : {"pipe.safetensors", "socket"}) {
    EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { check_can_write(folder / name); }), "pipe or socket"));
    EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { write_atomically(folder / name, "x"); }), "expected a file"));
  }
  check_can_write("/dev/null");
}

TEST(WriteFolder, SaysWhyItCannot) {
  const TemporaryFolder folder;
  write_atomically(folder / "file", "x");
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { check_can_write_folder(folder / "no/such"); }), "does not exist"));
  EXPECT_TRUE(
      contains(error_of(ErrorKind::input, [&] { check_can_write_folder(folder / "file"); }), "is a file, expected a folder"));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [] { check_can_write_folder(""); }), "empty folder name"));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [] { check_can_write_folder("."); }), "no folder's own name"));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [] { check_can_write_folder("/proc"); }), "mount point"));
  check_can_write_folder(folder / "new");
  EXPECT_EQ(folder.count_files(), 1u);
}

}  // namespace negativa
