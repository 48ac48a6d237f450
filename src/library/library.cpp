#include "library/library.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <random>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "library/names.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

constexpr int64_t layout_version = 1;  // how files lie in the folder; a later program's library is refused

// What a program that was killed had begun to write.
void remove_unfinished(const fs::path& folder) {
  std::error_code ignored;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".") && name.find(names::temporary_infix) != std::string::npos) found.push_back(entry.path());
  }
  for (const auto& path : found) fs::remove_all(path, ignored);
}

uint64_t last_number_in(const fs::path& folder) {
  uint64_t last = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size()) last = std::max(last, number);
  }
  return last;
}

}  // namespace

Library::Library(const fs::path& folder, const fs::path& cache, const Notice& notice,
                 const std::function<bool(const fs::path&)>& can_hold_index) {
  make_folder(folder);
  folder_ = fs::canonical(folder);
  lock_ = FileLock(folder_ / library_names::lock,
                   fmt::format("[--library] another studio uses {}; end it, or give another folder", folder_.string()));
  if (!lock_.why_not().empty())
    notice(
        fmt::format("the library's disk has no locks ({}): see to it yourself that no second studio uses it", lock_.why_not()));
  for (const char* name : {library_names::pictures, library_names::trash, library_names::jobs, library_names::files,
                           library_names::loras, library_names::embeddings, library_names::runs, library_names::uploads})
    make_folder(folder_ / name);
  clean();
  read_description();
  fs::path index = folder_ / library_names::index;
  if (!can_hold_index(folder_) && !cache.empty()) {
    make_folder(cache / "library" / id_);
    index = cache / "library" / id_ / library_names::index;
  }
  gallery_ = std::make_unique<Gallery>(folder_, index, notice);
  jobs_ = std::make_unique<JobStore>(folder_ / library_names::jobs, last_job_folder(), notice);
}

void Library::clean() const {
  remove_unfinished(folder_);
  remove_unfinished(folder_ / library_names::jobs);
  remove_unfinished(folder_ / library_names::loras);
  for (const char* name : {library_names::pictures, library_names::files})
    for (const auto& entry : fs::directory_iterator(folder_ / name)) remove_unfinished(entry.path());
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder_ / library_names::uploads, ignored)) fs::remove(entry.path(), ignored);
}

void Library::read_description() {
  const fs::path file = folder_ / library_names::description;
  if (!fs::exists(file)) {
    std::random_device device;
    write_atomically(file, Json({{"id", fmt::format("{:08x}", device())}, {"layout", layout_version}}).dump() + "\n");
  }
  const Json description = read_json_file(file);
  const std::string where = file.string();
  id_ = get<std::string>(description, "id", where);
  const auto layout = get<int64_t>(description, "layout", where);
  check(id_.size() == 8 && id_.find_first_not_of("0123456789abcdef") == std::string::npos, ErrorKind::file_format,
        "[{}] \"id\": got {}, expected eight hexadecimal digits", where, json_excerpt(description["id"]));
  check(layout == layout_version, ErrorKind::input, "[--library] {} is of a later program (layout {}, this one knows {})",
        folder_.string(), layout, layout_version);
}

uint64_t Library::last_job_folder() const {
  uint64_t last = 0;
  for (const char* name : {library_names::pictures, library_names::trash, library_names::files})
    last = std::max(last, last_number_in(folder_ / name));
  return last;
}

fs::path Library::pictures_of(uint64_t job) const {
  const fs::path folder = folder_ / library_names::pictures / job_folder_name(job);
  make_folder(folder);
  return folder;
}

fs::path Library::files_of(uint64_t job) const {
  const fs::path folder = folder_ / library_names::files / job_folder_name(job);
  make_folder(folder);
  return folder;
}

fs::path Library::loras() const { return folder_ / library_names::loras; }
fs::path Library::embeddings() const { return folder_ / library_names::embeddings; }
fs::path Library::runs() const { return folder_ / library_names::runs; }
fs::path Library::uploads() const { return folder_ / library_names::uploads; }

LibraryAccess Library::access(bool renew, const std::function<std::string()>& make) const {
  const fs::path file = folder_ / library_names::access;
  LibraryAccess access;
  if (fs::exists(file) && !renew) {
    const Json json = read_json_file(file);
    access.cookie = get<std::string>(json, "cookie", file.string());
    access.tools_token = get<std::string>(json, "tools_token", file.string());
  }
  const bool others_read = fs::exists(file) && (fs::status(file).permissions() & fs::perms(077)) != fs::perms::none;
  if (access.cookie.size() >= 32 && access.tools_token.size() >= 32 && !others_read) return access;
  access = {make(), make()};  // what others could read is no secret any more
  write_atomically(file, [&](int fd) {
    check(::fchmod(fd, 0600) == 0, ErrorKind::machine, "[{}] cannot be kept from others", file.string());
    write_all(fd, Json({{"cookie", access.cookie}, {"tools_token", access.tools_token}}).dump() + "\n", file.string());
  });
  return access;
}

}  // namespace negativa
