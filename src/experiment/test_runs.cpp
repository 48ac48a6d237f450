#include "experiment/test_runs.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <sstream>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"

namespace negativa {

namespace {

Path file_beside(const Path& toml) { return toml.parent_path() / names::test_runs; }

std::set<std::string> hashes_in(const Path& file) {
  std::set<std::string> hashes;
  std::istringstream text(read_file(file));
  size_t number = 0;
  for (std::string line; std::getline(text, line);) {
    const std::string where = fmt::format("{} line {}", file.string(), ++number);
    if (line.find_first_not_of(" \t\r") != std::string::npos)
      hashes.insert(get<std::string>(parse_json(line, where), "run", where));
  }
  return hashes;
}

// Held while the file is read and appended to.
class OpenedFile {
 public:
  explicit OpenedFile(const Path& file) : fd_(::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) {
    check(fd_ >= 0, ErrorKind::input, "[{}] cannot be written: {}; it counts the runs that look at test prompts", file.string(),
          std::strerror(errno));
    while (::flock(fd_, LOCK_EX) != 0 && errno == EINTR) {  // where there are no locks, two lines of one run are counted once
    }
  }
  ~OpenedFile() { ::close(fd_); }
  OpenedFile(const OpenedFile&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

size_t count_test_run(const ExperimentFile& file, const RunPlan& plan) {
  const Path path = file_beside(file.path);
  const OpenedFile opened(path);
  auto hashes = hashes_in(path);
  if (hashes.insert(plan.hash()).second) {
    size_t prompts = 0;
    for (const auto& prompt : plan.prompts) prompts += prompt.list == "test";
    const Json line = {{"run", plan.hash()}, {"experiment", plan.name}, {"prompts", prompts}, {"arms", plan.arms.size()}};
    write_all(opened.fd(), line.dump() + "\n", path.string());
  }
  return hashes.size();
}

size_t counted_test_runs(const Path& toml) {
  const Path file = file_beside(toml);
  return std::filesystem::exists(file) ? hashes_in(file).size() : 0;
}

}  // namespace negativa
