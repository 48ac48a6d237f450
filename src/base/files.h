#pragma once
// Files: whole or not at all when written, mapped when read.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace negativa {

// All bytes or an Error (machine): "disk full" for ENOSPC, EDQUOT and EFBIG. `where` names the file in the message.
void write_all(int fd, std::string_view bytes, std::string_view where);

// Writes to a temporary name beside `path`, fsyncs, renames, fsyncs the folder: a reader sees the old file or the new one. On
// every error, exceptions of `write` included, the temporary is removed and the old file stays. A character device is written
// directly. Throws ErrorKind::input (folder missing or not writable; a pipe, which could wait for its reader for ever, a socket,
// a block device) or ErrorKind::machine (disk full …).
void write_atomically(const std::filesystem::path& path, const std::function<void(int fd)>& write);
void write_atomically(const std::filesystem::path& path, std::string_view bytes);

// Throws what write_atomically would at once, so that a long computation does not end at a folder that was never there.
void check_can_write(const std::filesystem::path& path);

// The same for a folder of files: `write` fills a temporary folder beside `path`, which is renamed to it. Where `path` is a
// folder that holds something, the new files replace those of their names and the others stay: they are linked into the temporary
// folder, and the two folders change places at once, so that a reader sees the old folder or the new one. On every error the
// temporary folder is removed and the old one is as it was. Throws as write_atomically does; ErrorKind::input for a mount point,
// which cannot be renamed.
void write_folder_atomically(const std::filesystem::path& path,
                             const std::function<void(const std::filesystem::path& folder)>& write);

// Throws what write_folder_atomically would at once.
void check_can_write_folder(const std::filesystem::path& path);

// Makes the names of the folder's files durable, as far as its file system can; an empty path is the working folder.
void sync_folder(const std::filesystem::path& folder);

// Makes the folder and its parents. Throws ErrorKind::input.
void make_folder(const std::filesystem::path& path);

// The whole file. Throws ErrorKind::input (missing, a folder, no permission), ErrorKind::file_format (over max_bytes).
std::string read_file(const std::filesystem::path& path, uint64_t max_bytes = uint64_t{1} << 30);

// For programs, not for libraries: a read beyond the end of a mapped file that shrank ends the program with one line on stderr
// and exit code 2. A SIGBUS of any other cause goes on to whatever handled it before.
void install_bus_error_handler();

// A regular file, mapped read-only. Safe to share between threads. If the file shrinks while mapped, the first read beyond its
// end raises SIGBUS; see install_bus_error_handler().
class MappedFile {
 public:
  // Throws ErrorKind::input (missing, a folder, no permission); an empty file maps to an empty span.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const uint8_t* data() const { return data_; }
  uint64_t size() const { return size_; }
  std::span<const uint8_t> bytes() const { return {data_, size_}; }

  // Gives the whole pages inside [begin, end) bytes back to the system; reading them again reads the file again.
  void drop_pages(uint64_t begin, uint64_t end) const;

 private:
  void close();
  const uint8_t* data_ = nullptr;
  uint64_t size_ = 0;
  struct BusErrorEntry* entry_ = nullptr;
};

}  // namespace negativa
