#pragma once
// The pictures of a library: files are the truth, the database is an index over them.
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "image/image.h"
#include "library/database.h"
#include "library/ratings.h"

namespace negativa {

struct GalleryPicture {
  std::string name;  // below "pictures": "000012/0003.png"
  std::string sha256;
  int64_t bytes = 0, width = 0, height = 0, made_ms = 0;    // made_ms: the file's time, since 1970
  std::string prompt, negative_prompt, model, loras, seed;  // of its recipe; empty: it has none
  std::string damage;                                       // why it cannot be read; empty: it can
  bool trashed = false;
  int64_t rating = 0;  // 0: none
};

struct GalleryQuery {
  std::string text;         // in prompt, negative prompt or the settings of another program
  std::string model, lora;  // part of their names
  std::string seed;         // whole
  std::string folder;       // of a job
  std::optional<int64_t> from_ms, to_ms;
  int64_t least_rating = 0;
  bool trashed = false;
  std::string after;   // a picture's name: what comes after it, newest first
  int64_t offset = 0;  // so many are skipped
  int64_t limit = 100;
};

struct GalleryPage {
  std::vector<GalleryPicture> pictures;
  int64_t total = 0;  // that fit the query
};

// Safe to use from several threads.
class Gallery {
 public:
  // `folder`: the library's. Compares the index with the files: what is new or changed is read, what is gone forgotten.
  // `notice` is told what a person should know.
  Gallery(std::filesystem::path folder, const std::filesystem::path& index,
          const std::function<void(const std::string&)>& notice);

  GalleryPage search(const GalleryQuery& query) const;
  std::optional<GalleryPicture> find(const std::string& name) const;
  int64_t count() const;  // in and out of the trash

  // A picture that was written below "pictures"; returns its entry. One whose name is in the trash goes there again: it was
  // deleted before its job was drawn a second time.
  GalleryPicture add(const std::string& name);
  // Bytes of a picture from elsewhere, under a free name; kept as they are. Throws as decode_image.
  GalleryPicture import(const std::string& file_name, const std::string& bytes);
  // Throw ErrorKind::input for a name that is not there.
  void move_to_trash(const std::string& name);
  void restore(const std::string& name);
  void remove_for_ever(const std::string& name);       // of the trash
  void rate(const std::string& name, int64_t rating);  // 0 to 5; 0 takes it back

  // Where the picture lies. Throws ErrorKind::input for a name that is not there.
  std::filesystem::path file(const std::string& name) const;

 private:
  void open_index(const std::filesystem::path& index);
  void read_folder(const char* folder, bool trashed);
  void put(const GalleryPicture& picture, int64_t time_ns);
  GalleryPicture need(const std::string& name) const;
  std::filesystem::path path_of(const std::string& name, bool trashed) const;
  void move(const std::string& name, bool to_trash);

  const std::filesystem::path folder_;
  mutable std::mutex mutex_;
  std::unique_ptr<Database> database_;
  Ratings ratings_;
};

}  // namespace negativa
