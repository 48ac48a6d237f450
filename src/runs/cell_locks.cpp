#include "runs/cell_locks.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace negativa {

namespace {

// 0, or the reason why not.
int set_lock(int fd, uint64_t byte, short type) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(byte);
  lock.l_len = 1;
  while (::fcntl(fd, F_OFD_SETLK, &lock) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

}  // namespace

CellLocks::CellLocks(const std::filesystem::path& file, EventSink& events)
    : file_(file), events_(events), fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666)) {
  check(fd_ >= 0, ErrorKind::input, "[{}] cannot be written: {}; choose another run folder with -o", file.string(),
        std::strerror(errno));
}

CellLocks::~CellLocks() { ::close(fd_); }

bool CellLocks::take(uint64_t byte) {
  const std::lock_guard lock(mutex_);
  if (held_.contains(byte)) return false;
  if (works_) {
    const int error = set_lock(fd_, byte, F_WRLCK);
    if (error == EAGAIN || error == EACCES) return false;
    if (error != 0) {  // ENOLCK, EOPNOTSUPP, EINVAL …: some network disks
      works_ = false;
      events_.on_notice(
          fmt::format("[{}] cannot be locked on this file system ({}): two processes may make the same cell, which "
                      "costs time and no harm; give each its share with --shard",
                      file_.string(), std::strerror(error)));
    }
  }
  held_.insert(byte);
  return true;
}

void CellLocks::give_back(uint64_t byte) {
  const std::lock_guard lock(mutex_);
  held_.erase(byte);
  set_lock(fd_, byte, F_UNLCK);  // of a lock that is none: nothing
}

}  // namespace negativa
