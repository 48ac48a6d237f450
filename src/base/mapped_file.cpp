#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/files.h"

namespace negativa {

// One mapping as the signal handler sees it: plain memory that is reused but never freed, linked once.
struct BusErrorEntry {
  std::atomic<uintptr_t> begin = 0;  // 0: free
  std::atomic<uintptr_t> end = 0;
  char name[256] = {};
  BusErrorEntry* next = nullptr;
};

namespace {

std::atomic<BusErrorEntry*> entries = nullptr;
std::mutex entries_mutex;  // writers only; the handler reads without it
struct sigaction handler_before {};

void on_bus_error(int signal, siginfo_t* info, void*) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (const BusErrorEntry* entry = entries.load(); entry; entry = entry->next) {
    const uintptr_t begin = entry->begin.load();
    if (begin == 0 || address < begin || address >= entry->end.load()) continue;
    const auto say = [](const char* text) { return ::write(STDERR_FILENO, text, std::strlen(text)); };
    if (say("negativa: [") < 0 || say(entry->name) < 0 || say("] shrank while it was being read\n") < 0) _exit(2);
    _exit(2);
  }
  ::sigaction(signal, &handler_before, nullptr);  // not ours: the faulting read repeats, and ends as it would have without us
}

BusErrorEntry* register_mapping(const uint8_t* data, uint64_t size, const std::string& name) {
  const std::lock_guard lock(entries_mutex);
  BusErrorEntry* entry = entries.load();
  while (entry && entry->begin != 0) entry = entry->next;
  const bool is_new = entry == nullptr;
  if (is_new) entry = new BusErrorEntry;
  const size_t length = std::min(name.size(), sizeof entry->name - 1);
  std::memcpy(entry->name, name.data(), length);
  entry->name[length] = 0;
  entry->end = reinterpret_cast<uintptr_t>(data) + size;
  entry->begin = reinterpret_cast<uintptr_t>(data);
  if (is_new) {
    entry->next = entries.load();
    entries = entry;
  }
  return entry;
}

}  // namespace

void install_bus_error_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, &handler_before);
  });
}

MappedFile::MappedFile(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // opening a pipe must not wait for its other end
  check(fd >= 0, ErrorKind::input, "[{}] cannot be opened: {}", path.string(), std::strerror(errno));
  struct stat status {};
  const bool is_file = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  size_ = is_file ? static_cast<uint64_t>(status.st_size) : 0;
  void* map = size_ > 0 ? ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0) : nullptr;
  const int error = errno;
  ::close(fd);
  check(is_file, ErrorKind::input, "[{}] is not a regular file, expected one that can be mapped", path.string());
  check(map != MAP_FAILED, ErrorKind::machine, "[{}] cannot be mapped: {}", path.string(), std::strerror(error));
  data_ = static_cast<const uint8_t*>(map);
  if (data_) entry_ = register_mapping(data_, size_, path.string());
}

MappedFile::~MappedFile() { close(); }

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      entry_(std::exchange(other.entry_, nullptr)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    close();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    entry_ = std::exchange(other.entry_, nullptr);
  }
  return *this;
}

void MappedFile::close() {
  if (!data_) return;
  entry_->begin = 0;
  ::munmap(const_cast<uint8_t*>(data_), size_);
}

void MappedFile::drop_pages(uint64_t begin, uint64_t end) const {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  begin = (begin + page - 1) / page * page;
  end = std::min(end, size_) / page * page;
  if (begin < end) ::madvise(const_cast<uint8_t*>(data_) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace negativa
