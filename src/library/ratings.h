#pragma once
// What people think of pictures: ratings.jsonl, a line a rating, by the picture's content, so that a file that was moved keeps
// it.
#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace negativa {

// One thread at a time.
class Ratings {
 public:
  // Reads the file. A last line that was cut is removed, lines that are broken are left alone, and `notice` says so.
  Ratings(std::filesystem::path file, const std::function<void(const std::string&)>& notice);

  const std::map<std::string, int64_t>& all() const { return ratings_; }  // by SHA-256; without those taken back
  // On disk when it returns. Throws ErrorKind::machine.
  void add(const std::string& sha256, const std::string& name, int64_t rating);

 private:
  std::filesystem::path file_;
  std::map<std::string, int64_t> ratings_;
};

}  // namespace negativa
