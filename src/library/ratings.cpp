#include "library/ratings.h"

#include <fcntl.h>
#include <unistd.h>

#include <memory>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"

namespace negativa {

namespace {

void remember(std::map<std::string, int64_t>& ratings, const std::string& sha256, int64_t rating) {
  if (rating == 0)
    ratings.erase(sha256);
  else
    ratings[sha256] = rating;
}

}  // namespace

Ratings::Ratings(std::filesystem::path file, const std::function<void(const std::string&)>& notice) : file_(std::move(file)) {
  if (!std::filesystem::exists(file_)) return;
  const std::string text = read_file(file_);
  size_t broken = 0, begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    try {
      const Json line = parse_json(std::string_view(text).substr(begin, end - begin), "ratings");
      remember(ratings_, get<std::string>(line, "sha256", "ratings"), get<int64_t>(line, "rating", "ratings"));
    } catch (const Error&) {
      ++broken;
    }
  }
  if (broken > 0) notice(fmt::format("ratings: {} lines cannot be read and count for nothing", broken));
  if (begin == text.size()) return;
  write_atomically(file_, std::string_view(text).substr(0, begin));
  notice("ratings: the last line was cut off when the program or the machine stopped; it is removed");
}

void Ratings::add(const std::string& sha256, const std::string& name, int64_t rating) {
  const std::string line =
      Json({{"sha256", sha256}, {"name", name}, {"rating", rating}}).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const int fd = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  check(fd >= 0, ErrorKind::machine, "[ratings] cannot be written; are the library's folder and disk all right?");
  const std::unique_ptr<const int, void (*)(const int*)> closing(&fd, [](const int* open) { ::close(*open); });
  const off_t before = ::lseek(fd, 0, SEEK_END);
  try {
    write_all(fd, line, "ratings");
    check(::fsync(fd) == 0, ErrorKind::machine, "[ratings] cannot be written; is the disk full?");
  } catch (...) {
    // Half a line would take the next one with it.
    if (::ftruncate(fd, before) != 0) fail(ErrorKind::machine, "[ratings] a line was written in part; start the studio anew");
    throw;
  }
  remember(ratings_, sha256, rating);
}

}  // namespace negativa
