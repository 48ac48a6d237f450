#pragma once
// One program at a time.
#include <filesystem>
#include <string>
#include <utility>

namespace negativa {

// An exclusive flock, held while this lives: whoever throws with one in hand gives it back.
class FileLock {
 public:
  FileLock() = default;  // of nothing
  // Makes the file where it is missing. Throws ErrorKind::input: not writable, or held by another process; `held` says that in a
  // whole line, "[--out] another run …".
  FileLock(const std::filesystem::path& file, const std::string& held);
  ~FileLock();
  FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

 private:
  int fd_ = -1;
};

}  // namespace negativa
