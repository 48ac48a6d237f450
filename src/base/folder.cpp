#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

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
      path_ = target.parent_path() / ("." + target.filename().string().substr(0, 200) + names::temporary_infix +
                                      std::to_string(::getpid()) + "-" + std::to_string(count++));
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

// One file of the old folder into the new one: the same file under two names where the file system has links, else a copy.
void keep_file(const fs::path& from, const fs::path& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return;
  std::error_code error;
  fs::copy(from, to, fs::copy_options::copy_symlinks, error);
  if (error) fail_to_make(error.value(), to);
}

// What `old` holds and `fresh` does not.
void keep_the_others(const fs::path& old, const fs::path& fresh) {
  for (const auto& entry : fs::directory_iterator(old)) {
    const auto place = fresh / entry.path().filename();
    const bool is_folder = entry.is_directory() && !entry.is_symlink(), is_there = fs::exists(fs::symlink_status(place));
    if (!is_folder && !is_there) keep_file(entry.path(), place);
    if (!is_folder || (is_there && !fs::is_directory(place))) continue;
    if (!is_there) fs::create_directory(place, entry.path());  // with its permissions
    keep_the_others(entry.path(), place);
  }
  sync_folder(fresh);
}

// `fresh` gets the name of `target`, which is there, and the other way round.
void exchange(const fs::path& fresh, const fs::path& target) {
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP) fail_to_make(errno, target);
  // A file system that cannot do both at once: for an instant there is neither.
  const fs::path aside = fresh.string() + "-old";
  if (::rename(target.c_str(), aside.c_str()) != 0) fail_to_make(errno, target);
  if (::rename(fresh.c_str(), target.c_str()) != 0) {
    const int error = errno;
    ::rename(aside.c_str(), target.c_str());
    fail_to_make(error, target);
  }
  if (::rename(aside.c_str(), fresh.c_str()) != 0) fail_to_make(errno, target);
}

fs::path parent_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

bool is_mount_point(const fs::path& folder) {
  struct stat own {
  }, above{};
  return ::stat(folder.c_str(), &own) == 0 && ::stat(parent_of(folder).c_str(), &above) == 0 && own.st_dev != above.st_dev;
}

fs::path folder_to_write(const fs::path& path) {
  check(!path.empty(), ErrorKind::input, "[write] got an empty folder name, expected one; name the folder to write");
  const fs::path plain = path.lexically_normal();
  fs::path target = plain.has_filename() ? plain : plain.parent_path();  // "folder/" is "folder"
  check(!fs::exists(target) || fs::is_directory(target), ErrorKind::input,
        "[{}] is a file, expected a folder to write; choose another name", path.string());
  check(target.filename() != "." && target.filename() != "..", ErrorKind::input,
        "[{}] is no folder's own name, expected one; name the folder to write", path.string());
  if (fs::is_symlink(target)) target = fs::weakly_canonical(target);  // links stay links
  check(!is_mount_point(target), ErrorKind::input,
        "[{}] is a mount point, which cannot be replaced as a whole; name a folder in it", path.string());
  return target;
}

}  // namespace

void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

void check_can_write_folder(const fs::path& path) { const TemporaryFolder removed_again(folder_to_write(path)); }

void write_folder_atomically(const fs::path& path, const std::function<void(const fs::path& folder)>& write) {
  const fs::path target = folder_to_write(path);
  const TemporaryFolder temporary(target);
  write(temporary.path());
  sync_folder(temporary.path());
  if (::rename(temporary.path().c_str(), target.c_str()) != 0) {
    if (!fs::is_directory(target)) fail_to_make(errno, path);
    keep_the_others(target, temporary.path());
    fs::permissions(temporary.path(), fs::status(target).permissions());
    exchange(temporary.path(), target);
  }
  sync_folder(parent_of(target));
}

}  // namespace negativa
