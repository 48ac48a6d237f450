#pragma once
// Files of a run folder, as they are read and put in their places.
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace negativa {

inline constexpr uint64_t longest_record_bytes = 16 << 20;

// What lies under a name. Links are not followed: a run folder holds its own files.
struct FoundFile {
  enum class Kind { absent, file, other };
  Kind kind = Kind::absent;
  std::string why;     // of `other`: "is a symbolic link", "cannot be read: …"
  uint64_t bytes = 0;  // of a file
  std::string text;    // all of it, where it has at most `read_up_to` bytes
};
// Throws ErrorKind::input without permission, ErrorKind::machine where the process has too many files open.
FoundFile find_file(const std::filesystem::path& path, uint64_t read_up_to);

// A file under a temporary name beside the target, removed again unless it is put in its place. The name tells the machine and
// the process, so that others know it while it is written. Not synced: write_atomically (base/files.h) is for files that nothing
// makes again. Throws ErrorKind::machine (disk full …), ErrorKind::input (no permission, a file in the folder's place).
class NewFile {
 public:
  NewFile(const std::filesystem::path& target, std::string_view bytes);
  struct CopyOf {
    std::filesystem::path file;
  };
  NewFile(const std::filesystem::path& target, const CopyOf& of);
  ~NewFile();
  NewFile(const NewFile&) = delete;

  void sync() const;    // its bytes reach the disk first
  void put();           // replaces what is there
  bool put_if_first();  // false: there is something already, which stays

 private:
  const std::filesystem::path target_, name_;
};

// Removes what killed processes left under temporary names, in the folder itself and in its cell folders: of processes of this
// machine that are gone, and all that is a day old at `now`.
void remove_left_files(const std::filesystem::path& folder, std::time_t now);

// The folders that hold cells: sets, lora …
bool is_cell_folder(std::string_view name);
// Relative names of all files in them but temporary ones, '/', in no order. A folder that cannot be read is passed over.
std::vector<std::string> files_of_cells(const std::filesystem::path& folder);

}  // namespace negativa
