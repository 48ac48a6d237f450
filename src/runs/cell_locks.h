#pragma once
// Which cells this process and others are making: a byte a cell of one file, locked.
#include <filesystem>
#include <mutex>
#include <set>

#include "image/events.h"

namespace negativa {

// Open-file-description locks (fcntl(2)): unlike flock they lock single bytes, unlike POSIX locks they do not go when some other
// descriptor of the file is closed. They go with the process. They do not part one thread of a store from another, which
// `held_` does. Safe from several threads.
class CellLocks {
 public:
  // Makes the file where it is missing. Throws ErrorKind::input where it cannot be written.
  CellLocks(const std::filesystem::path& file, EventSink& events);
  ~CellLocks();
  CellLocks(const CellLocks&) = delete;

  bool take(uint64_t byte);  // false: another has it
  void give_back(uint64_t byte);

 private:
  const std::filesystem::path file_;
  EventSink& events_;
  int fd_ = -1;
  std::mutex mutex_;
  std::set<uint64_t> held_;  // by this store
  bool works_ = true;        // the file system has locks
};

}  // namespace negativa
