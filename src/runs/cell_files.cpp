#include "runs/cell_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>

#include "base/error.h"
#include "base/files.h"
#include "base/names.h"
#include "base/sha256.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

constexpr std::array cell_folders = {names::sets_folder,     names::lora_folder,    names::embedding_folder,
                                     names::pictures_folder, names::metrics_folder, names::calibration_folder};

struct Descriptor {
  int fd;
  explicit Descriptor(int opened) : fd(opened) {}
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
  Descriptor(const Descriptor&) = delete;
};

[[noreturn]] void fail_to_write(int error, const fs::path& path) {
  if (error == ENOSPC || error == EDQUOT || error == EFBIG)
    fail(ErrorKind::machine, "[{}] cannot be written: disk full ({}); free some space, then start again: what is made stays",
         path.string(), std::strerror(error));
  const bool is_machine = error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO;
  fail(is_machine ? ErrorKind::machine : ErrorKind::input, "[{}] cannot be written: {}; mend that, then start again",
       path.string(), std::strerror(error));
}

FoundFile other(std::string why) { return {FoundFile::Kind::other, std::move(why), 0, {}}; }

FoundFile not_opened(int error, const fs::path& path) {
  if (error == ENOENT || error == ENOTDIR) return {};
  if (error == ELOOP) return other("is a symbolic link, expected a file");
  if (error == EMFILE || error == ENFILE || error == ENOMEM)
    fail(ErrorKind::machine, "[{}] cannot be opened: {}", path.string(), std::strerror(error));
  check(error != EACCES && error != EPERM, ErrorKind::input, "[{}] cannot be opened: {}; give yourself permission to read it",
        path.string(), std::strerror(error));
  return other(fmt::format("cannot be opened: {}", std::strerror(error)));
}

// Tells this machine's processes from those of others that share the folder: host names repeat, and so do process ids in
// containers.
std::string read_line(const char* file) {
  const Descriptor opened(::open(file, O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  const ssize_t got = opened.fd < 0 ? 0 : ::read(opened.fd, text.data(), text.size());
  return {text.data(), static_cast<size_t>(std::max<ssize_t>(got, 0))};
}

const std::string& machine_mark() {
  static const std::string mark = [] {
    std::array<char, 256> host{}, processes{};
    ::gethostname(host.data(), host.size() - 1);
    const ssize_t length = ::readlink("/proc/self/ns/pid", processes.data(), processes.size());
    return sha256_hex(read_line("/proc/sys/kernel/random/boot_id") + host.data() +
                      std::string(processes.data(), static_cast<size_t>(std::max<ssize_t>(length, 0))))
        .substr(0, 8);
  }();
  return mark;
}

fs::path temporary_name(const fs::path& target) {
  static std::atomic<int> count = 0;
  return target.parent_path() / fmt::format(".{}{}{}-{}-{}", target.filename().string().substr(0, 200), names::temporary_infix,
                                            machine_mark(), ::getpid(), count++);
}

// Makes a name by `make`, which returns 0 or an errno.
template <class Make>
fs::path made_beside(const fs::path& target, const Make& make) {
  make_folder(target.parent_path());
  while (true) {
    const fs::path name = temporary_name(target);
    const int error = make(name);
    if (error == 0) return name;
    if (error != EEXIST) fail_to_write(error, target);  // EEXIST: left by a process of the same id
  }
}

int copy_to(const fs::path& name, const fs::path& file) {
  std::error_code error;
  fs::copy_file(file, name, error);
  if (error && error.value() != EEXIST) ::unlink(name.c_str());
  return error.value();
}

// ".NAME.tmp-MACHINE-PROCESS-COUNT" as this file makes it, or ".NAME.tmp-PROCESS-COUNT" as base/files.h does.
bool is_temporary(std::string_view name) {
  return name.size() > 1 && name.front() == '.' && name.find(names::temporary_infix) != std::string_view::npos;
}

bool is_of_gone_process(std::string_view name) {
  const std::string_view marked = names::temporary_infix;
  std::string_view rest = name.substr(name.rfind(marked) + marked.size());
  if (!rest.starts_with(machine_mark() + "-")) return false;
  rest.remove_prefix(machine_mark().size() + 1);
  pid_t process = 0;
  const auto end = std::from_chars(rest.data(), rest.data() + rest.size(), process);
  return end.ec == std::errc() && process > 0 && ::kill(process, 0) != 0 && errno == ESRCH;
}

void remove_if_left(const fs::directory_entry& entry, std::time_t now) {
  const std::string name = entry.path().filename().string();
  if (!is_temporary(name)) return;
  struct stat status {};
  if (::lstat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  // The time of the last change of the name, not of the bytes: a link to an old file is new.
  constexpr std::time_t day_s = 24 * 3600;
  if (is_of_gone_process(name) || status.st_ctim.tv_sec + day_s < now) ::unlink(entry.path().c_str());
}

template <class Do>
void for_each_in_cell_folders(const fs::path& folder, const Do& on_entry) {
  for (const char* cells : cell_folders) {
    std::error_code error;
    if (!fs::is_directory(fs::symlink_status(folder / cells, error))) continue;
    fs::recursive_directory_iterator at(folder / cells, fs::directory_options::skip_permission_denied, error), end;
    for (; !error && at != end; at.increment(error)) on_entry(*at);
  }
}

}  // namespace

FoundFile find_file(const fs::path& path, uint64_t read_up_to) {
  // A pipe in the place of a file would wait for its writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.fd < 0) return not_opened(errno, path);
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) return other(fmt::format("cannot be read: {}", std::strerror(errno)));
  if (!S_ISREG(status.st_mode)) return other(S_ISDIR(status.st_mode) ? "is a folder, expected a file" : "is no file");
  FoundFile found{FoundFile::Kind::file, {}, static_cast<uint64_t>(status.st_size), {}};
  if (found.bytes > read_up_to) return found;
  found.text.resize(found.bytes);
  size_t used = 0;
  while (used < found.text.size()) {
    const ssize_t got = ::read(file.fd, found.text.data() + used, found.text.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return other(fmt::format("cannot be read: {}", std::strerror(errno)));
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  found.text.resize(used);
  return found;
}

NewFile::NewFile(const fs::path& target, std::string_view bytes)
    : target_(target), name_(made_beside(target, [&](const fs::path& name) {
        const Descriptor file(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (file.fd < 0) return errno;
        try {
          write_all(file.fd, bytes, target.string());
        } catch (...) {
          ::unlink(name.c_str());
          throw;
        }
        return 0;
      })) {}

NewFile::NewFile(const fs::path& target, const CopyOf& of)
    : target_(target), name_(made_beside(target, [&](const fs::path& name) { return copy_to(name, of.file); })) {}

NewFile::~NewFile() { ::unlink(name_.c_str()); }

void NewFile::sync() const {
  const Descriptor file(::open(name_.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0 || ::fsync(file.fd) != 0) fail_to_write(errno, target_);
}

void NewFile::put() {
  if (::rename(name_.c_str(), target_.c_str()) != 0) fail_to_write(errno, target_);
}

bool NewFile::put_if_first() {
  if (::link(name_.c_str(), target_.c_str()) == 0) return true;
  if (errno == EEXIST) return false;
  // A file system without links.
  if (::renameat2(AT_FDCWD, name_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno == EEXIST || fs::exists(fs::symlink_status(target_))) return false;
  put();
  return true;
}

void remove_left_files(const fs::path& folder, std::time_t now) {
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) remove_if_left(*at, now);
  for_each_in_cell_folders(folder, [&](const fs::directory_entry& entry) { remove_if_left(entry, now); });
}

bool is_cell_folder(std::string_view name) {
  return std::any_of(cell_folders.begin(), cell_folders.end(), [&](const char* folder) { return name == folder; });
}

std::vector<std::string> files_of_cells(const fs::path& folder) {
  std::vector<std::string> files;
  for_each_in_cell_folders(folder, [&](const fs::directory_entry& entry) {
    std::error_code error;
    if (entry.is_directory(error) && !entry.is_symlink(error)) return;
    if (!is_temporary(entry.path().filename().string()))
      files.push_back(entry.path().lexically_relative(folder).generic_string());
  });
  return files;
}

}  // namespace negativa
