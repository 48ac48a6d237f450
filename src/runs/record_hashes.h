#pragma once
// The SHA-256 that a cell's record gives its file. The metrics of every arm ask for that of one baseline's picture.
#include <filesystem>
#include <mutex>
#include <string>
#include <unordered_map>

namespace negativa {

// Each record is read once, and again when its file is another by inode, size or time of change. Safe from several threads.
class RecordHashes {
 public:
  // Empty where there is no record that can be read. Throws as find_file does (runs/cell_files.h).
  std::string of(const std::filesystem::path& record_file);

 private:
  struct Known {
    std::string state, sha256;
  };
  std::mutex mutex_;  // of known_; not held while a file is read
  std::unordered_map<std::string, Known> known_;
};

}  // namespace negativa
