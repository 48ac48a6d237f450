#include "library/gallery.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/file_names.h"
#include "base/files.h"
#include "base/sha256.h"
#include "base/text.h"
#include "library/names.h"
#include "library/picture_facts.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

// A change of what the index holds changes this, and the index is made anew from the files.
constexpr int64_t index_version = 1;

constexpr const char* columns =
    "p.name, p.sha256, p.bytes, p.width, p.height, p.made_ns, p.prompt, p.negative_prompt, p.model, p.loras, p.seed, p.damage, "
    "p.trashed, coalesce(r.rating, 0)";
constexpr const char* tables = "pictures p LEFT JOIN ratings r ON r.sha256 = p.sha256";

GalleryPicture picture_from(const SqlRow& row) {
  GalleryPicture picture;
  picture.name = row.text(0);
  picture.sha256 = row.text(1);
  picture.bytes = row.integer(2);
  picture.width = row.integer(3);
  picture.height = row.integer(4);
  picture.made_ms = row.integer(5) / 1000000;
  picture.prompt = row.text(6);
  picture.negative_prompt = row.text(7);
  picture.model = row.text(8);
  picture.loras = row.text(9);
  picture.seed = row.text(10);
  picture.damage = row.text(11);
  picture.trashed = row.integer(12) != 0;
  picture.rating = row.integer(13);
  return picture;
}

struct FileState {
  int64_t bytes = 0, time_ns = 0;
};

std::optional<FileState> state_of(const fs::path& file) {
  struct stat status {};
  if (::lstat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return {};  // a link is no picture of this library
  return FileState{status.st_size, status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec};
}

GalleryPicture read_picture(const std::string& name, const fs::path& file, int64_t bytes) {
  GalleryPicture picture;
  picture.name = name;
  picture.bytes = bytes;
  PictureFacts facts;
  try {
    const std::string content = read_file(file);
    picture.sha256 = sha256_hex(content);
    facts = facts_of_picture(content, name);
  } catch (const Error&) {
    facts.damage = fmt::format("[{}] cannot be read", name);
  }
  picture.width = facts.width;
  picture.height = facts.height;
  picture.prompt = facts.prompt;
  picture.negative_prompt = facts.negative_prompt;
  picture.model = facts.model;
  picture.loras = facts.loras;
  picture.seed = facts.seed;
  picture.damage = facts.damage;
  return picture;
}

// A substring in LIKE, whose own signs stand for themselves.
std::string like(const std::string& text) {
  std::string pattern = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern + "%";
}

struct Condition {
  std::string sql = "p.trashed = ?";
  std::vector<SqlValue> values;
  void add(const std::string& more, const std::vector<SqlValue>& more_values) {
    sql += " AND " + more;
    values.insert(values.end(), more_values.begin(), more_values.end());
  }
};

Condition condition_of(const GalleryQuery& query) {
  Condition where;
  where.values = {int64_t{query.trashed}};
  if (!query.text.empty())
    where.add("(p.prompt LIKE ? ESCAPE '\\' OR p.negative_prompt LIKE ? ESCAPE '\\' OR p.name LIKE ? ESCAPE '\\')",
              {like(query.text), like(query.text), like(query.text)});
  if (!query.model.empty()) where.add("p.model LIKE ? ESCAPE '\\'", {like(query.model)});
  if (!query.lora.empty()) where.add("p.loras LIKE ? ESCAPE '\\'", {like(query.lora)});
  if (!query.seed.empty()) where.add("p.seed = ?", {query.seed});
  if (!query.folder.empty()) where.add("p.name >= ? AND p.name < ?", {query.folder + "/", query.folder + "0"});
  constexpr int64_t far = 9000000000000;  // ms; nanoseconds of it fit 64 bits
  if (query.from_ms) where.add("p.made_ns >= ?", {std::clamp(*query.from_ms, -far, far) * 1000000});
  if (query.to_ms) where.add("p.made_ns <= ?", {std::clamp(*query.to_ms, -far, far) * 1000000});
  if (query.least_rating > 0) where.add("coalesce(r.rating, 0) >= ?", {query.least_rating});
  return where;
}

void make_tables(Database& database) {
  Transaction transaction(database);
  for (const char* sql :
       {"DROP TABLE IF EXISTS pictures", "DROP TABLE IF EXISTS ratings",
        "CREATE TABLE pictures (name TEXT PRIMARY KEY, sha256 TEXT, bytes INT, width INT, height INT, made_ns INT, prompt TEXT, "
        "negative_prompt TEXT, model TEXT, loras TEXT, seed TEXT, damage TEXT, trashed INT) WITHOUT ROWID",
        "CREATE INDEX by_time ON pictures (trashed, made_ns, name)",
        "CREATE TABLE ratings (sha256 TEXT PRIMARY KEY, rating INT)"})
    database.run(sql);
  database.run(fmt::format("PRAGMA user_version = {}", index_version));
  transaction.commit();
}

void remove_index(const fs::path& index) {
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(index.string() + suffix);
}

}  // namespace

Gallery::Gallery(fs::path folder, const fs::path& index, const std::function<void(const std::string&)>& notice)
    : folder_(std::move(folder)), ratings_(folder_ / library_names::ratings, notice) {
  const auto fill = [&] {
    open_index(index);
    Transaction transaction(*database_);
    database_->run("DELETE FROM ratings");
    for (const auto& [sha256, rating] : ratings_.all()) database_->run("INSERT INTO ratings VALUES (?, ?)", {sha256, rating});
    read_folder(library_names::pictures, false);
    read_folder(library_names::trash, true);
    transaction.commit();
  };
  try {
    fill();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::file_format) throw;
    notice("the gallery's index was damaged and is made anew from the pictures");
    database_.reset();
    remove_index(index);
    fill();
  }
}

void Gallery::open_index(const fs::path& index) {
  database_ = std::make_unique<Database>(index);
  if (database_->number("PRAGMA user_version") != index_version) make_tables(*database_);
}

fs::path Gallery::path_of(const std::string& name, bool trashed) const {
  return folder_ / (trashed ? library_names::trash : library_names::pictures) / name;
}

// Entries of that folder as they are on disk now.
void Gallery::read_folder(const char* folder, bool trashed) {
  std::map<std::string, FileState> known;
  database_->each("SELECT name, bytes, made_ns FROM pictures WHERE trashed = ?", {int64_t{trashed}}, [&](const SqlRow& row) {
    known[row.text(0)] = {row.integer(1), row.integer(2)};
  });
  for (const auto& sub : fs::directory_iterator(folder_ / folder)) {
    if (!sub.is_directory() || sub.is_symlink()) continue;
    for (const auto& entry : fs::directory_iterator(sub)) {
      const std::string file_name = entry.path().filename().string();
      const auto state = has_picture_name(entry.path()) && !file_name.starts_with('.') ? state_of(entry.path()) : std::nullopt;
      if (!state || valid_utf8(file_name) != file_name) continue;
      const std::string name = sub.path().filename().string() + "/" + file_name;
      const auto found = known.find(name);
      const bool same = found != known.end() && found->second.bytes == state->bytes && found->second.time_ns == state->time_ns;
      if (found != known.end()) known.erase(found);
      if (same) continue;
      GalleryPicture picture = read_picture(name, entry.path(), state->bytes);
      picture.trashed = trashed;
      put(picture, state->time_ns);
    }
  }
  for (const auto& [name, state] : known)
    database_->run("DELETE FROM pictures WHERE name = ? AND trashed = ?", {name, int64_t{trashed}});
}

void Gallery::put(const GalleryPicture& picture, int64_t time_ns) {
  database_->run("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                 {picture.name, picture.sha256, picture.bytes, picture.width, picture.height, time_ns, picture.prompt,
                  picture.negative_prompt, picture.model, picture.loras, picture.seed, picture.damage, int64_t{picture.trashed}});
}

GalleryPage Gallery::search(const GalleryQuery& query) const {
  const std::lock_guard lock(mutex_);
  Condition where = condition_of(query);
  GalleryPage page;
  page.total = database_->number(fmt::format("SELECT count(*) FROM {} WHERE {}", tables, where.sql), where.values);
  if (!query.after.empty()) where.add("(p.made_ns, p.name) < (SELECT made_ns, name FROM pictures WHERE name = ?)", {query.after});
  where.values.emplace_back(std::clamp<int64_t>(query.limit, 1, 500));
  where.values.emplace_back(std::max<int64_t>(query.offset, 0));
  database_->each(
      fmt::format("SELECT {} FROM {} WHERE {} ORDER BY p.made_ns DESC, p.name DESC LIMIT ? OFFSET ?", columns, tables, where.sql),
      where.values, [&](const SqlRow& row) { page.pictures.push_back(picture_from(row)); });
  return page;
}

std::optional<GalleryPicture> Gallery::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  std::optional<GalleryPicture> found;
  database_->each(fmt::format("SELECT {} FROM {} WHERE p.name = ?", columns, tables), {name},
                  [&](const SqlRow& row) { found = picture_from(row); });
  return found;
}

GalleryPicture Gallery::need(const std::string& name) const {
  auto found = find(name);
  check(found.has_value(), ErrorKind::input, "[picture] there is no \"{}\" in this library", name);
  return *found;
}

int64_t Gallery::count() const {
  const std::lock_guard lock(mutex_);
  return database_->number("SELECT count(*) FROM pictures");
}

GalleryPicture Gallery::add(const std::string& name) {
  const auto state = state_of(path_of(name, false));
  check(state.has_value(), ErrorKind::input, "[picture] there is no \"{}\"", name);
  const GalleryPicture picture = read_picture(name, path_of(name, false), state->bytes);
  const auto before = find(name);
  {
    const std::lock_guard lock(mutex_);
    put(picture, state->time_ns);
  }
  if (before && before->trashed) move(name, true);
  return need(name);
}

GalleryPicture Gallery::import(const std::string& file_name, const std::string& bytes) {
  decode_image(bytes, file_name);
  const fs::path given = fs::path(file_name).filename();
  check(has_picture_name(given) && !given.string().starts_with('.') && valid_utf8(given.string()) == given.string(),
        ErrorKind::input, "[name] got \"{}\", expected a picture's file name, as cat.png", valid_utf8(given.string()));
  make_folder(path_of(library_names::imported, false));
  std::string name;
  for (int i = 1;; ++i) {
    const std::string number = i == 1 ? "" : "-" + std::to_string(i);
    name = fmt::format("{}/{}{}{}", library_names::imported, given.stem().string(), number, given.extension().string());
    if (!fs::exists(path_of(name, false)) && !fs::exists(path_of(name, true))) break;
  }
  write_atomically(path_of(name, false), bytes);
  return add(name);
}

void Gallery::move(const std::string& name, bool to_trash) {
  const fs::path target = path_of(name, to_trash);
  make_folder(target.parent_path());
  std::error_code error;
  fs::rename(path_of(name, !to_trash), target, error);
  check(!error, ErrorKind::input, "[picture] \"{}\" cannot be moved: {}", name, error.message());
  const std::lock_guard lock(mutex_);
  database_->run("UPDATE pictures SET trashed = ? WHERE name = ?", {int64_t{to_trash}, name});
}

void Gallery::move_to_trash(const std::string& name) {
  check(!need(name).trashed, ErrorKind::input, "[picture] \"{}\" is in the trash already", name);
  move(name, true);
}

void Gallery::restore(const std::string& name) {
  check(need(name).trashed, ErrorKind::input, "[picture] \"{}\" is not in the trash", name);
  move(name, false);
}

void Gallery::remove_for_ever(const std::string& name) {
  check(need(name).trashed, ErrorKind::input, "[picture] \"{}\" is not in the trash; move it there first", name);
  fs::remove(path_of(name, true));
  const std::lock_guard lock(mutex_);
  database_->run("DELETE FROM pictures WHERE name = ?", {name});
}

void Gallery::rate(const std::string& name, int64_t rating) {
  check(rating >= 0 && rating <= 5, ErrorKind::input, "[rating in request] got {}, expected an integer in 0..5", rating);
  const GalleryPicture picture = need(name);
  const std::lock_guard lock(mutex_);
  ratings_.add(picture.sha256, name, rating);
  if (rating == 0)
    database_->run("DELETE FROM ratings WHERE sha256 = ?", {picture.sha256});
  else
    database_->run("INSERT OR REPLACE INTO ratings VALUES (?, ?)", {picture.sha256, rating});
}

fs::path Gallery::file(const std::string& name) const { return path_of(name, need(name).trashed); }

}  // namespace negativa
