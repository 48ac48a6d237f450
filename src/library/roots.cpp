#include "library/roots.h"

#include <algorithm>

#include "base/error.h"
#include "base/file_names.h"
#include "base/text.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

bool is_below(const fs::path& path, const fs::path& folder) {
  return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

std::vector<std::string> parts_of(std::string_view reference, std::string_view where) {
  std::vector<std::string> parts;
  while (true) {
    const auto end = std::min(reference.find('/'), reference.size());
    const std::string_view part = reference.substr(0, end);
    const bool plain = !part.empty() && part != "." && part != ".." && part.find('\0') == std::string_view::npos;
    check(plain, ErrorKind::input, "[{}] got a name with an empty part, \".\" or \"..\", expected ROOT/NAME", where);
    parts.emplace_back(part);
    if (end == reference.size()) return parts;
    reference.remove_prefix(end + 1);
  }
}

}  // namespace

void Roots::add(const std::string& name, const fs::path& folder) {
  std::error_code error;
  const fs::path canonical = fs::canonical(folder, error);
  if (error || !fs::is_directory(canonical)) return;
  std::string free = name;
  const auto taken = [&] {
    return std::any_of(roots_.begin(), roots_.end(), [&](const Root& root) { return root.name == free; });
  };
  for (int i = 2; taken(); ++i) free = name + "-" + std::to_string(i);
  roots_.push_back({free, canonical});
  shown_.emplace_back(canonical.string(), free);
  if (const auto given = fs::absolute(folder).lexically_normal(); given != canonical) shown_.emplace_back(given.string(), free);
  std::stable_sort(shown_.begin(), shown_.end(), [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
}

void Roots::hide(const fs::path& folder) {
  if (folder.has_relative_path()) shown_.emplace_back(folder.lexically_normal().string(), "…");
  std::stable_sort(shown_.begin(), shown_.end(), [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
}

bool Roots::holds(const fs::path& canonical) const {
  return std::any_of(roots_.begin(), roots_.end(), [&](const Root& root) { return is_below(canonical, root.folder); });
}

void Roots::check_links(const fs::path& path, std::string_view where) const {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(path, fs::directory_options::skip_permission_denied, error), end;
       !error && entry != end; entry.increment(error)) {
    if (!entry->is_symlink(error)) continue;
    std::error_code dangling;
    const fs::path target = fs::canonical(entry->path(), dangling);
    check(dangling || holds(target), ErrorKind::input,
          "[{}] holds a link that leads out of the folders of this studio: {}; --folder adds one", where,
          reference_of(entry->path()));
  }
}

fs::path Roots::resolve(std::string_view reference, std::string_view where) const {
  const auto parts = parts_of(reference, where);
  const auto root = std::find_if(roots_.begin(), roots_.end(), [&](const Root& each) { return each.name == parts[0]; });
  if (root == roots_.end()) {
    std::vector<std::string> names;
    for (const auto& each : roots_) names.push_back(each.name);
    fail(ErrorKind::input, "[{}] there is no folder \"{}\" here, expected one of {}; --folder adds one", where, parts[0],
         joined(names, ", "));
  }
  fs::path path = root->folder;
  for (size_t i = 1; i < parts.size(); ++i) path /= parts[i];
  path = stored_path(path);
  std::error_code error;
  const fs::path canonical = fs::canonical(path, error);
  check(!error, ErrorKind::input, "[{}] there is no \"{}\"", where, reference);
  check(holds(canonical), ErrorKind::input,
        "[{}] \"{}\" is a link that leads out of the folders of this studio; --folder adds one", where, reference);
  check(!is_closed_ || !is_closed_(canonical), ErrorKind::input,
        "[{}] \"{}\" is being rated; it can be used again when negativa rate has ended", where, reference);
  if (fs::is_directory(canonical)) check_links(canonical, where);
  return path;
}

void Roots::check_holds(const fs::path& path, std::string_view where) const {
  std::error_code error;
  const fs::path canonical = fs::weakly_canonical(path, error);
  check(!error && holds(canonical), ErrorKind::input,
        "[{}] names {}, which lies outside the folders of this studio; --folder adds one", where, path.filename().string());
  if (fs::is_directory(canonical, error)) check_links(canonical, where);
}

std::string Roots::reference_of(const fs::path& path) const {
  const fs::path plain = path.lexically_normal();
  const Root* best = nullptr;
  for (const auto& root : roots_)
    if (is_below(plain, root.folder) && (!best || root.folder.string().size() > best->folder.string().size())) best = &root;
  if (!best) return "";
  const fs::path rest = plain.lexically_relative(best->folder);
  return rest == "." ? best->name : best->name + "/" + rest.string();
}

std::string Roots::without_paths(std::string text) const {
  for (const auto& [beginning, shown] : shown_)
    for (size_t at = 0; (at = text.find(beginning, at)) != std::string::npos;) {
      const size_t end = at + beginning.size();
      const bool whole = end == text.size() || std::string_view("/\"' ,;:)]}\n").find(text[end]) != std::string_view::npos;
      if (whole) text.replace(at, beginning.size(), shown);
      at += whole ? shown.size() : 1;
    }
  return text;
}

}  // namespace negativa
