#include "base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/names.h"

namespace negativa {

namespace {

bool is_disk_full(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

[[noreturn]] void fail_to_write(int error, std::string_view where) {
  if (is_disk_full(error))
    fail(ErrorKind::machine, "[{}] cannot be written: disk full ({}); free some space or choose another folder", where,
         std::strerror(error));
  fail(ErrorKind::machine, "[{}] cannot be written: {}", where, std::strerror(error));
}

// What open() and rename() say about a name that was given: the user's matter unless the machine ran out of something.
[[noreturn]] void fail_to_create(int error, const std::filesystem::path& path) {
  if (is_disk_full(error) || error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO)
    fail_to_write(error, path.string());
  if (error == ENOENT || error == ENOTDIR)
    fail(ErrorKind::input, "[{}] cannot be written: its folder {} does not exist; make it first", path.string(),
         path.has_parent_path() ? path.parent_path().string() : ".");
  fail(ErrorKind::input, "[{}] cannot be written: {}; choose another place", path.string(), std::strerror(error));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }
  int close() {
    const int fd = std::exchange(fd_, -1);
    return fd < 0 ? 0 : ::close(fd);
  }

 private:
  int fd_;
};

// A file beside the target that is removed unless it becomes the target.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& target) : target_(target), fd_(create()) {}
  ~TemporaryFile() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  int fd() const { return fd_.get(); }

  void become_target() {
    if (::fsync(fd_.get()) != 0 || fd_.close() != 0) fail_to_write(errno, target_.string());
    if (::rename(name_.c_str(), target_.c_str()) != 0) fail_to_create(errno, target_);
    name_.clear();
    // The file is whole all the same where this cannot be.
    sync_folder(target_.parent_path());
  }

 private:
  int create() {
    static std::atomic<int> count = 0;
    while (true) {
      // A long name is cut so that the temporary one stays within the usual 255 bytes.
      name_ = target_.parent_path() / ("." + target_.filename().string().substr(0, 200) + names::temporary_infix +
                                       std::to_string(::getpid()) + "-" + std::to_string(count++));
      const int fd = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd >= 0) return fd;
      const int error = errno;
      if (error == EEXIST) continue;  // left by a process of the same id that was killed
      name_.clear();
      fail_to_create(error, target_);
    }
  }

  std::filesystem::path target_, name_;
  Descriptor fd_;
};

// Symbolic links stay links: what they point to is replaced.
std::filesystem::path final_target(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_symlink(path, error)) return path;
  const auto target = std::filesystem::weakly_canonical(path, error);
  return error ? path : target;
}

enum class Target { file, stream };  // stream: a character device, which renaming would replace by a file

Target check_target(const std::filesystem::path& path) {
  check(!path.empty(), ErrorKind::input, "[write] got an empty file name, expected one; name the file to write");
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    check(path.has_filename(), ErrorKind::input, "[{}] is a folder's name, expected a file's", path.string());
    return Target::file;
  }
  check(!S_ISDIR(status.st_mode), ErrorKind::input, "[{}] is a folder, expected a file; name the file to write in it",
        path.string());
  const bool waits = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode);
  check(!waits && !S_ISBLK(status.st_mode), ErrorKind::input, "[{}] is {}, expected a file; choose another name", path.string(),
        waits ? "a pipe or socket" : "a block device");
  return S_ISREG(status.st_mode) ? Target::file : Target::stream;
}

[[noreturn]] void fail_to_open(int error, const std::filesystem::path& path) {
  const ErrorKind kind =
      error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO ? ErrorKind::machine : ErrorKind::input;
  fail(kind, "[{}] cannot be opened: {}", path.string(), std::strerror(error));
}

}  // namespace

void write_all(int fd, std::string_view bytes, std::string_view where) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_to_write(errno, where);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void write_atomically(const std::filesystem::path& path, const std::function<void(int fd)>& write) {
  const auto target = final_target(path);
  if (check_target(target) == Target::stream) {
    Descriptor stream(::open(target.c_str(), O_WRONLY | O_CLOEXEC));
    if (stream.get() < 0) fail_to_create(errno, path);
    write(stream.get());
    if (stream.close() != 0) fail_to_write(errno, path.string());
    return;
  }
  TemporaryFile temporary(target);
  write(temporary.fd());
  temporary.become_target();
}

void write_atomically(const std::filesystem::path& path, std::string_view bytes) {
  write_atomically(path, [&](int fd) { write_all(fd, bytes, path.string()); });
}

void check_can_write(const std::filesystem::path& path) {
  const auto target = final_target(path);
  if (check_target(target) == Target::file) const TemporaryFile removed_again(target);
}

void make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error && is_disk_full(error.value())) fail_to_write(error.value(), path.string());
  check(!error, ErrorKind::input, "[{}] cannot be made a folder: {}; choose another place", path.string(), error.message());
}

std::string read_file(const std::filesystem::path& path, uint64_t max_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) fail_to_open(errno, path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail_to_open(errno, path);
  check(!S_ISDIR(status.st_mode), ErrorKind::input, "[{}] is a folder, expected a file", path.string());
  const auto check_size = [&](uint64_t size) {
    check(size <= max_bytes, ErrorKind::file_format, "[{}] has over {} bytes, expected at most that; is it the right file?",
          path.string(), max_bytes);
  };
  check_size(S_ISREG(status.st_mode) ? static_cast<uint64_t>(status.st_size) : 0);
  std::string bytes;
  size_t used = 0;
  while (true) {  // to the end, whatever fstat said: pipes have no size
    if (used == bytes.size()) bytes.resize(std::max<size_t>(used * 2, static_cast<size_t>(status.st_size) + 4096));
    const ssize_t got = ::read(file.get(), bytes.data() + used, bytes.size() - used);
    if (got < 0 && errno == EINTR) continue;
    check(got >= 0, ErrorKind::machine, "[{}] cannot be read: {}", path.string(), std::strerror(errno));
    if (got == 0) break;
    used += static_cast<size_t>(got);
    check_size(used);
  }
  bytes.resize(used);
  return bytes;
}

}  // namespace negativa
