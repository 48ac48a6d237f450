#pragma once
// The folder a studio keeps its things in. Its files say everything; the index can be lost.
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/file_lock.h"
#include "library/gallery.h"
#include "library/job_store.h"

namespace negativa {

struct LibraryAccess {
  std::string cookie;       // secret that a page's cookie holds
  std::string tools_token;  // secret of other programs
};

class Library {
 public:
  using Notice = std::function<void(const std::string&)>;

  // Makes the folder where it is missing. `cache`: where the index lies if the library's own file system cannot hold one. Throws
  // ErrorKind::input: not writable, in use by another studio, of a later version of the program. On a disk without locks `notice`
  // says that a second studio would not be seen.
  // can_hold_index: whether that folder's file system can.
  Library(const std::filesystem::path& folder, const std::filesystem::path& cache, const Notice& notice,
          const std::function<bool(const std::filesystem::path&)>& can_hold_index = can_share_memory);

  const std::filesystem::path& folder() const { return folder_; }
  const std::string& id() const { return id_; }  // eight hexadecimal digits, the same for ever
  Gallery& gallery() { return *gallery_; }
  JobStore& jobs() { return *jobs_; }

  // Folders of jobs and shared ones, made where they are missing.
  std::filesystem::path pictures_of(uint64_t job) const;
  std::filesystem::path files_of(uint64_t job) const;
  std::filesystem::path loras() const;
  std::filesystem::path embeddings() const;
  std::filesystem::path runs() const;
  std::filesystem::path uploads() const;

  // The secrets kept in the folder, mode 0600; those missing, or all with `renew`, come from `make`.
  LibraryAccess access(bool renew, const std::function<std::string()>& make) const;

 private:
  void read_description();
  void clean() const;
  uint64_t last_job_folder() const;

  std::filesystem::path folder_;
  FileLock lock_;
  std::string id_;
  std::unique_ptr<Gallery> gallery_;
  std::unique_ptr<JobStore> jobs_;
};

}  // namespace negativa
