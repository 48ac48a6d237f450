#include "runs/record_hashes.h"

#include <sys/stat.h>

#include "base/error.h"
#include "base/json.h"
#include "runs/cell_files.h"

namespace negativa {

namespace {

// Every replacement of a file changes its inode or the time of its change, which nothing can set back. Empty: there is no file.
std::string state_of(const std::filesystem::path& file) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0) return {};
  return fmt::format("{} {} {} {}", status.st_ino, status.st_size, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
}

std::string read_hash(const std::filesystem::path& file) {
  const FoundFile text = find_file(file, longest_record_bytes);
  if (text.kind != FoundFile::Kind::file) return {};
  try {
    return get<std::string>(parse_json(text.text, file.string()), "sha256", file.string());
  } catch (const Error&) {  // the cell's own state tells
    return {};
  }
}

}  // namespace

std::string RecordHashes::of(const std::filesystem::path& record_file) {
  const std::string state = state_of(record_file);
  if (state.empty()) return {};
  {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(record_file.native());
    if (known != known_.end() && known->second.state == state) return known->second.sha256;
  }
  std::string sha256 = read_hash(record_file);
  const std::lock_guard lock(mutex_);
  known_[record_file.native()] = {state, sha256};  // a file that was replaced meanwhile is read again the next time
  return sha256;
}

}  // namespace negativa
