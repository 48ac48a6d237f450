#pragma once
// One program at a time.
#include <filesystem>
#include <string>
#include <utility>

namespace negativa {

// An exclusive flock, held while this lives: whoever throws with one in hand gives it back. Where the file system has none, as on
// some network disks, it is not held, and why_not() says why.
class FileLock {
 public:
  FileLock() = default;  // of nothing
  // Makes the file where it is missing. Throws ErrorKind::input: not writable, or held by another process; `held` says that in a
  // whole line, "[--out] another run …".
  FileLock(const std::filesystem::path& file, const std::string& held);
  ~FileLock();
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)), why_not_(std::move(other.why_not_)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(why_not_, other.why_not_);
    return *this;
  }
  const std::string& why_not() const { return why_not_; }

 private:
  int fd_ = -1;
  std::string why_not_;
};

}  // namespace negativa
