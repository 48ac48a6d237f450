#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/files.h"
#include "base/names.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail_to_make(int error, const fs::path& path) {
  if (error == ENOSPC || error == EDQUOT || error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO)
    fail(ErrorKind::machine, "[{}] cannot be written: {}", path.string(), std::strerror(error));
  if (error == ENOENT || error == ENOTDIR)
    fail(ErrorKind::input, "[{}] cannot be written: its folder {} does not exist; make it first", path.string(),
         path.has_parent_path() ? path.parent_path().string() : ".");
  fail(ErrorKind::input, "[{}] cannot be written: {}; choose another place", path.string(), std::strerror(error));
}

// A folder beside the target that is removed with all it holds.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const fs::path& target) {
    static std::atomic<int> count = 0;
    do {
      path_ = target.parent_path() / ("." + target.filename().string().substr(0, 200) + names::temporary_infix + std::to_string(::getpid()) +
                                      "-" + std::to_string(count++));
      if (::mkdir(path_.c_str(), 0777) == 0) return;
    } while (errno == EEXIST);  // left by a process of the same id that was killed
    fail_to_make(errno, target);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

// Everything in `from` goes into `to`, which is there; the space is taken already, so that only a name can fail.
void move_into(const fs::path& from, const fs::path& to) {
  std::vector<fs::path> entries;
  for (const auto& entry : fs::directory_iterator(from)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  for (const auto& entry : entries) {
    const auto place = to / entry.filename();
    if (fs::is_directory(entry) && fs::is_directory(place))
      move_into(entry, place);
    else if (::rename(entry.c_str(), place.c_str()) != 0)
      fail_to_make(errno, place);
  }
  sync_folder(to);
}

fs::path folder_to_write(const fs::path& path) {
  check(!path.empty(), ErrorKind::input, "[write] got an empty folder name, expected one; name the folder to write");
  const fs::path plain = path.lexically_normal();
  const fs::path target = plain.has_filename() ? plain : plain.parent_path();  // "folder/" is "folder"
  check(!fs::exists(target) || fs::is_directory(target), ErrorKind::input, "[{}] is a file, expected a folder to write; choose another name",
        path.string());
  return target;
}

}  // namespace

void check_can_write_folder(const fs::path& path) { const TemporaryFolder removed_again(folder_to_write(path)); }

void write_folder_atomically(const fs::path& path, const std::function<void(const fs::path& folder)>& write) {
  const fs::path target = folder_to_write(path);
  const TemporaryFolder temporary(target);
  write(temporary.path());
  sync_folder(temporary.path());
  if (::rename(temporary.path().c_str(), target.c_str()) == 0)
    sync_folder(target.parent_path());
  else if (fs::is_directory(target))
    move_into(temporary.path(), target);
  else
    fail_to_make(errno, path);
}

}  // namespace negativa
