#include "base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace negativa {

FileLock::FileLock(const std::filesystem::path& file, const std::string& held)
    : fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
  check(fd_ >= 0, ErrorKind::input, "[{}] cannot be written: {}", file.string(), std::strerror(errno));
  while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    const int error = errno;
    ::close(std::exchange(fd_, -1));
    check(error != EWOULDBLOCK, ErrorKind::input, "{}", held);
    why_not_ = std::strerror(error);
    return;
  }
}

FileLock::~FileLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace negativa
